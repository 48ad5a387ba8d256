"""Find, read and write files on a disk, on S3 and on web servers.

An **address** is a path, `file://...`, `s3://bucket/key` or `http(s)://...`. A `StoredFile` is what
a listing says of a file (address, size, and a version that changes with its content) together with
a way to read it. Local files are read by system calls, because names on disks may hold characters
that object stores refuse. All other files are read by obstore.

A request that fails for a moment (a dropped connection, a busy or slow server, a truncated answer)
is repeated. The wait doubles each time and has a random part, so that many readers do not return at
the same moment (M. Brooker, "Exponential backoff and jitter", 2015). Any other failure is an error
at once: one line with the address, what is wrong and what to do. An error never shows a key.

Threads may share a `Storage`. A forked process must not use a `Storage` that its parent has read
with: obstore's threads do not exist in it.

    writing.py     atomic writes of local files
    connection.py  connection_config.yaml, and the retry policy
    failures.py    readable messages for errors of obstore and S3
    addresses.py   paths, addresses, globs and folders
    files.py       StoredFile
    store.py       Storage
"""

from __future__ import annotations

from loxo.storage.addresses import files_below
from loxo.storage.connection import CONNECTION_FILE, Connection, RetryPolicy, read_connection
from loxo.storage.failures import StorageError
from loxo.storage.files import StoredFile
from loxo.storage.store import Storage
from loxo.storage.writing import atomic_write, write_json, write_text

__all__ = [
    "CONNECTION_FILE",
    "Connection",
    "RetryPolicy",
    "Storage",
    "StorageError",
    "StoredFile",
    "atomic_write",
    "files_below",
    "read_connection",
    "write_json",
    "write_text",
]
