"""Files on a disk, on S3 and on web servers: found, read whole or by ranges of bytes, and written so that they are whole or not there.

An **address** is a path, `file://...`, `s3://bucket/key` or `http(s)://...`. A `StoredFile` is what a listing says of a file (address, size
and a version that changes with its content) and the way to its bytes. Local files are read with the system's own calls, since names on
disks hold what the paths of object stores refuse; the rest is obstore's.

Requests that fail for a moment (a dropped connection, a full server, a slow one, an answer cut short) are repeated after a wait that
doubles, with some chance in it, so that many readers do not come back at once (M. Brooker, "Exponential backoff and jitter", 2015). Others
are errors at once: one line with the address, what is wrong and what to do. Keys are never part of one.

Threads may share a `Storage`. A process that was forked from one that has read with it may not: obstore's own threads are not in it.

    writing.py     a file that is whole or not there
    connection.py  connection_config.yaml, and patience
    failures.py    what can go wrong, in words
    addresses.py   paths and addresses, globs, folders
    files.py       StoredFile
    store.py       Storage
"""

from __future__ import annotations

from loxo.storage.addresses import files_below
from loxo.storage.connection import CONNECTION_FILE, Connection, Patience, read_connection
from loxo.storage.failures import StorageError
from loxo.storage.files import StoredFile
from loxo.storage.store import Storage
from loxo.storage.writing import replacing

__all__ = [
    "CONNECTION_FILE",
    "Connection",
    "Patience",
    "Storage",
    "StorageError",
    "StoredFile",
    "files_below",
    "read_connection",
    "replacing",
]
