"""Files at all kinds of addresses: found, opened and written, with patience where a network is between."""

from __future__ import annotations

import os
import random
import re
import time
from collections.abc import Callable, Collection, Iterator
from datetime import timedelta
from pathlib import Path, PurePosixPath
from threading import Lock
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import urlsplit

from loxo.storage.addresses import GLOB, expression_of, files_below, fixed_parts, is_remote, is_wanted, key_in_store, plain
from loxo.storage.connection import Connection, Patience, read_connection
from loxo.storage.failures import StorageError, explained
from loxo.storage.files import StoredFile
from loxo.storage.writing import replacing

if TYPE_CHECKING:
    from obstore.store import HTTPStore, S3Store

__all__ = ["Storage"]

LISTED = 1000
"""Objects of one answer to a listing: what S3 gives at most."""

_T = TypeVar("_T")


class Storage:
    """Files at all kinds of addresses; threads may share it.

    Args:
        connection: to S3; None takes that of `read_connection` when the first address on S3 is met.
    """

    def __init__(self, connection: Connection | None = None, *, patience: Patience | None = None) -> None:
        self._connection = connection
        self.patience = patience or Patience()
        self._stores: dict[str, S3Store | HTTPStore] = {}
        self._lock = Lock()
        self._fetched = 0

    @property
    def bytes_fetched(self) -> int:
        """Bytes of content that were read so far through `StoredFile`s."""
        return self._fetched

    def find(self, address: str | os.PathLike[str], suffixes: Collection[str] = ()) -> Iterator[StoredFile]:
        """A file by itself, whatever its name, or the files below a folder or prefix, sorted by their address.

        A glob may stand in the path: `*` within one name, `**` for any folders.

        Args:
            suffixes: of the names that are wanted, in upper or lower case; all, if there are none. Hidden names are left out.

        Raises:
            StorageError: if there is nothing, or it cannot be listed.
        """
        url = plain(address)
        pattern = GLOB.search(url)
        if not is_remote(url):
            yield from self._find_local(url, suffixes)
        elif url.startswith("http"):
            if pattern:
                raise StorageError(f"{url}: web servers cannot be listed; give the address of each file")
            yield self.file(url)
        else:
            yield from self._find_keys(url, suffixes)

    def _find_local(self, url: str, suffixes: Collection[str]) -> Iterator[StoredFile]:
        path = Path(url)
        if not path.exists() and GLOB.search(url):
            fixed = Path(*fixed_parts(path))
            matches = re.compile(expression_of(url))
            paths = sorted(file for file in files_below(fixed, suffixes) if matches.fullmatch(file.as_posix()))
        elif path.is_dir():
            paths = sorted(files_below(path, suffixes))
        else:
            paths = [path]
        if not paths:
            raise StorageError(f"{url}: nothing there{_of(suffixes)}; check the path")
        yield from map(self.file, paths)

    def _find_keys(self, url: str, suffixes: Collection[str]) -> Iterator[StoredFile]:
        bucket, key = urlsplit(url).netloc, key_in_store(url)
        prefix = "/".join(fixed_parts(PurePosixPath(key))) if GLOB.search(key) else key.rstrip("/")
        matches = re.compile(expression_of(key)) if GLOB.search(key) else None
        found = False
        for meta in self._listed(url, prefix):
            wanted = matches is None or matches.fullmatch(meta["path"])
            if wanted and is_wanted(PurePosixPath(meta["path"]).name, suffixes):
                found = True
                yield self._of_meta(f"s3://{bucket}/{meta['path']}", meta)
        if not found and matches is None and prefix:
            found = True
            yield self.file(url)
        if not found:
            raise StorageError(f"{url}: nothing there{_of(suffixes)}; check the bucket and the prefix")

    def _listed(self, url: str, prefix: str) -> Iterator[Any]:
        """All objects of a prefix in the order of their keys; after a failure, on from the last one."""
        import obstore

        store, last = self._store(url), None

        def pages() -> Iterator[Any]:
            return iter(obstore.list(store, prefix or None, offset=last, chunk_size=LISTED))

        listing = pages()

        def next_page() -> Any:
            nonlocal listing
            try:
                return next(listing, None)
            except Exception:
                listing = pages()
                raise

        while page := self._patiently(url, next_page):
            yield from page
            last = page[-1]["path"]

    def file(self, address: str | os.PathLike[str]) -> StoredFile:
        """One file, with its size and version.

        Raises:
            StorageError: if it is not there, or cannot be reached.
        """
        import obstore

        url = plain(address)
        if not is_remote(url):
            try:
                status = Path(url).stat()
            except OSError as error:
                raise StorageError(f"{url}: {error.strerror}; check the path") from error
            return StoredFile(url, status.st_size, str(status.st_mtime_ns), self)
        store, key = self._store(url), key_in_store(url)
        return self._of_meta(url, self._patiently(url, lambda: obstore.head(store, key)))

    def _of_meta(self, url: str, meta: Any) -> StoredFile:
        version = (meta["e_tag"] or "").strip('"') or meta["last_modified"].isoformat()
        return StoredFile(url, meta["size"], version, self)

    def restore(self, url: str, size: int, version: str) -> StoredFile:
        """A file as an earlier listing knew it, without asking again."""
        return StoredFile(url, size, version, self)

    def write(self, address: str | os.PathLike[str], content: bytes) -> None:
        """Write a file that is whole or not there.

        Raises:
            StorageError: if it cannot be written; web servers take no files.
        """
        import obstore

        url = plain(address)
        if url.startswith("http"):
            raise StorageError(f"{url}: nothing can be written to a web server; give a path or an s3:// address")
        if is_remote(url):
            store, key = self._store(url), key_in_store(url)
            self._patiently(url, lambda: obstore.put(store, key, content))
            return
        try:
            Path(url).parent.mkdir(parents=True, exist_ok=True)
            with replacing(Path(url)) as passing:
                passing.write_bytes(content)
        except OSError as error:
            raise StorageError(f"{url}: cannot be written ({error.strerror}); check the folder") from error

    def fetch(self, file: StoredFile, start: int, stop: int) -> bytes:
        """Bytes `[start, stop)` of a file, which has them.

        Raises:
            StorageError: if not all of them can be had.
        """
        content = self._patiently(file.url, lambda: _whole(self._range(file, start, stop), stop - start, file.url))
        with self._lock:
            self._fetched += len(content)
        return content

    def _range(self, file: StoredFile, start: int, stop: int) -> bytes:
        import obstore

        if file.path is None:
            return bytes(obstore.get_range(self._store(file.url), key_in_store(file.url), start=start, end=stop))
        with file.path.open("rb") as opened:
            opened.seek(start)
            return opened.read(stop - start)

    def _store(self, url: str) -> S3Store | HTTPStore:
        """The bucket or host of an address."""
        parts = urlsplit(url)
        root = f"{parts.scheme}://{parts.netloc}"
        with self._lock:
            if root not in self._stores:
                self._stores[root] = self._open_bucket(parts.netloc) if parts.scheme == "s3" else self._open_host(root)
            return self._stores[root]

    def _open_host(self, root: str) -> HTTPStore:
        from obstore.store import HTTPStore

        return HTTPStore.from_url(root, client_options=self._client(root), retry_config=NO_RETRY)  # type: ignore[arg-type]

    def _open_bucket(self, bucket: str) -> S3Store:
        from obstore.exceptions import BaseError
        from obstore.store import S3Store

        if self._connection is None:
            self._connection = read_connection()
        connection = self._connection
        endpoint = connection.endpoint_url or os.environ.get("AWS_ENDPOINT_URL_S3") or os.environ.get("AWS_ENDPOINT_URL") or ""
        region = connection.region_name or os.environ.get("AWS_REGION") or os.environ.get("AWS_DEFAULT_REGION") or "us-east-1"
        keys = {
            "access_key_id": connection.aws_access_key_id,
            "secret_access_key": connection.aws_secret_access_key,
            "session_token": connection.aws_session_token,
        }
        config: dict[str, Any] = {name: value.get_secret_value() for name, value in keys.items() if value is not None}
        if endpoint:
            config["endpoint"] = endpoint
        if connection.anonymous:
            config["skip_signature"] = True
        options = self._client(endpoint)
        try:
            return S3Store(bucket, region=region, client_options=options, retry_config=NO_RETRY, **config)  # type: ignore[arg-type]
        except BaseError:
            raise StorageError(f"s3://{bucket}: no bucket can have this name, or no server this address: {endpoint or 'AWS'}") from None

    def _client(self, endpoint: str) -> dict[str, Any]:
        return {
            "timeout": timedelta(seconds=self.patience.timeout_s),
            "connect_timeout": timedelta(seconds=self.patience.connect_timeout_s),
            "allow_http": endpoint.startswith("http://"),
        }

    def _patiently(self, url: str, request: Callable[[], _T]) -> _T:
        """The answer to a request, after as many attempts as it takes and patience allows."""
        for attempt in range(self.patience.attempts):
            try:
                return request()
            except StorageError as error:
                told = error
            except Exception as error:  # noqa: BLE001 obstore has errors of its own, and some of Python's
                told = explained(url, error)
            if not told.passing or attempt + 1 == self.patience.attempts:
                raise told from None
            longest = min(self.patience.longest_wait_s, self.patience.first_wait_s * 2**attempt)
            time.sleep(longest * random.uniform(0.5, 1.0))  # noqa: S311 no secret
        raise AssertionError("there is at least one attempt")


NO_RETRY = {"max_retries": 0}
"""Of obstore's own: two loops of attempts, one in the other, would multiply their waits."""


def _whole(content: bytes, size: int, url: str) -> bytes:
    if len(content) != size:
        raise StorageError(f"{url}: {len(content)} of {size} bytes came; the file has changed, or the connection breaks off", passing=True)
    return content


def _of(suffixes: Collection[str]) -> str:
    return f" in {', '.join(suffixes)}" if suffixes else ""
