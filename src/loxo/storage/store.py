"""Find, open and write files at any address; retry requests where a network is between."""

from __future__ import annotations

import os
import random
import re
import time
from collections.abc import Callable, Collection, Iterator
from datetime import timedelta
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING, Any, TypeVar

from loxo.storage.addresses import (
    GLOB,
    files_below,
    fixed_parts,
    is_remote,
    is_wanted,
    just_before,
    key_in_store,
    key_of_file,
    normalised_address,
    pattern_of,
    root_of,
)
from loxo.storage.connection import ENDPOINT, REGION, Connection, RetryPolicy, read_connection
from loxo.storage.failures import StorageError, explained
from loxo.storage.files import StoredFile
from loxo.storage.writing import atomic_write

if TYPE_CHECKING:
    from obstore.store import HTTPStore, S3Credential, S3Store

__all__ = ["Storage"]

LISTED = 1000
"""Objects in one answer to a listing; S3 gives no more."""
NEVER = timedelta(days=365)
"""Limit for a whole answer: on a slow line it may take long, as long as bytes arrive."""
NO_RETRY = {"max_retries": 0}
"""Switches obstore's own retries off: nested retry loops would multiply their waits."""
_T = TypeVar("_T")


class Storage:
    """Access to files at any address; threads may share it.

    Args:
        connection: connection to S3; None calls `read_connection` at the first S3 address.
        retry_policy: how often requests are repeated; None takes the defaults of `RetryPolicy`.
    """

    def __init__(
        self, connection: Connection | None = None, *, retry_policy: RetryPolicy | None = None
    ) -> None:
        self._connection = connection
        self.retry_policy = retry_policy or RetryPolicy()
        self._stores: dict[str, S3Store | HTTPStore] = {}
        self._lock = Lock()
        self._fetched = 0

    @property
    def bytes_fetched(self) -> int:
        """Bytes of content read so far through `StoredFile`s."""
        return self._fetched

    def find(
        self, address: str | os.PathLike[str], suffixes: Collection[str] = ()
    ) -> Iterator[StoredFile]:
        """Find one file, or the files below a folder or prefix, sorted by address.

        The path may hold a glob: `*`, `?` and `[...]` within one name, `**` for any folders. A
        local file that cannot be inspected is yielded too: reading it gives the reason.

        Args:
            address: a file is found even if its name has another suffix.
            suffixes: wanted extensions in any letter case; all files if there are none. Hidden
                names are ignored.

        Raises:
            StorageError: if nothing is found, or it cannot be listed.
        """
        url = normalised_address(address)
        pattern = GLOB.search(url)
        if not is_remote(url):
            yield from self._find_local(url, suffixes)
        elif not url.startswith("s3://"):
            if pattern or url.endswith("/"):
                raise StorageError(
                    f"{url}: web servers cannot be listed; give the address of each file"
                )
            yield self.file(url)
        else:
            yield from self._find_keys(url, suffixes)

    def _find_local(self, url: str, suffixes: Collection[str]) -> Iterator[StoredFile]:
        path = Path(url)
        if not path.exists() and GLOB.search(url):
            matches = pattern_of(url, url)
            fixed = Path(*fixed_parts(path))
            paths = sorted(
                file for file in files_below(fixed, suffixes) if matches.fullmatch(file.as_posix())
            )
        elif path.is_dir():
            paths = sorted(files_below(path, suffixes))
        else:
            yield self.file(path)
            return
        if not paths:
            raise StorageError(f"{url}: nothing there{_of(suffixes)}; check the path")
        yield from map(self._on_disk, paths)

    def _on_disk(self, path: Path) -> StoredFile:
        try:
            status = path.stat()
        except OSError:
            return StoredFile(path.as_posix(), 0, "", self)
        return StoredFile(path.as_posix(), status.st_size, str(status.st_mtime_ns), self)

    def _find_keys(self, url: str, suffixes: Collection[str]) -> Iterator[StoredFile]:
        key = key_in_store(url)
        problem = StorageError(
            f"{url}: nothing there{_of(suffixes)}; check the bucket and the prefix"
        )
        empty = True
        try:
            for file in self._listed(url, key, suffixes):
                empty = False
                yield file
        except StorageError as error:
            if error.transient or not empty:
                raise
            problem = error  # reading a file may be allowed where listing is not
        if not empty:
            return
        if not key or key.endswith("/") or "*" in key:
            raise problem
        try:
            file = self.file(url)
        except StorageError as error:
            raise (error if error.transient else problem) from None
        yield file

    def _listed(self, url: str, key: str, suffixes: Collection[str]) -> Iterator[StoredFile]:
        """List the objects below a folder or of a glob, in the order of their keys."""
        glob = GLOB.search(key)
        fixed = key[: glob.start()] if glob else f"{key.rstrip('/')}/".lstrip("/")
        matches = pattern_of(key, url) if glob else re.compile(re.escape(fixed) + ".+")
        folder = fixed[: fixed.rfind("/") + 1]
        for meta in self._metas(url, folder, fixed):
            path = meta["path"]
            inner = path[len(folder) :].split("/")
            marker = (
                meta["size"] == 0 and "." not in inner[-1]
            )  # web consoles create them to show folders
            hidden = any(name.startswith(".") for name in inner)
            if (
                matches.fullmatch(path)
                and is_wanted(inner[-1], suffixes)
                and not hidden
                and not marker
            ):
                yield self._of_meta(f"{root_of(url)}/{path}", meta)

    def _metas(self, url: str, folder: str, fixed: str) -> Iterator[Any]:
        """List metadata of objects whose keys start with `fixed`, which starts with `folder`.

        A retry continues after the last key that was listed.
        """
        import obstore

        store, last = self._store(url), just_before(fixed)
        stream: Iterator[Any] | None = None

        def chunk() -> Any:
            nonlocal stream
            stream = stream or iter(
                obstore.list(store, folder or None, offset=last, chunk_size=LISTED)
            )
            try:
                return next(stream, None)
            except BaseException:
                stream = None
                raise

        while metas := self._with_retries(url, chunk):
            for meta in metas:
                if meta["path"].startswith(fixed):
                    yield meta
                elif meta["path"] > fixed:
                    return
            last = metas[-1]["path"]

    def file(self, address: str | os.PathLike[str]) -> StoredFile:
        """Describe one file: its size and version.

        Raises:
            StorageError: if it does not exist or cannot be reached.
        """
        url = normalised_address(address)
        if not is_remote(url):
            try:
                status = Path(url).stat()
            except OSError as error:
                raise StorageError(f"{url}: {error.strerror}; check the path") from error
            return StoredFile(url, status.st_size, str(status.st_mtime_ns), self)
        import obstore

        store, key = self._store(url), key_of_file(url)
        return self._of_meta(url, self._with_retries(url, lambda: obstore.head(store, key)))

    def _of_meta(self, url: str, meta: Any) -> StoredFile:
        return StoredFile(url, meta["size"], _tag(meta) or meta["last_modified"].isoformat(), self)

    def restore(self, url: str, size: int, version: str) -> StoredFile:
        """Describe a file as an earlier listing did, without a request."""
        return StoredFile(url, size, version, self)

    def write(self, address: str | os.PathLike[str], content: bytes) -> None:
        """Write a file, whole or not at all.

        Raises:
            StorageError: if it cannot be written; web servers take no files.
        """
        url = normalised_address(address)
        if is_remote(url) and not url.startswith("s3://"):
            raise StorageError(
                f"{url}: nothing can be written to a web server; give a path or an s3:// address"
            )
        if is_remote(url):
            import obstore

            store, key = self._store(url), key_of_file(url)
            self._with_retries(url, lambda: obstore.put(store, key, content, use_multipart=False))
            return
        try:
            Path(url).parent.mkdir(parents=True, exist_ok=True)
            with atomic_write(Path(url)) as temporary:
                temporary.write_bytes(content)
        except OSError as error:
            raise StorageError(
                f"{url}: cannot be written ({error.strerror}); check the folder"
            ) from error

    def fetch(self, file: StoredFile, start: int, stop: int) -> bytes:
        """Read bytes `[start, stop)` that lie within a file.

        Raises:
            StorageError: if not all of them can be read, or a remote file has changed since it
                was listed.
        """
        if file.path is not None:
            content = _read_local(file.path, start, stop)
        else:
            content = self._with_retries(file.url, lambda: self._range(file, start, stop))
        with self._lock:
            self._fetched += len(content)
        return content

    def _range(self, file: StoredFile, start: int, stop: int) -> bytes:
        import obstore

        answer = obstore.get(
            self._store(file.url), key_in_store(file.url), options={"range": (start, stop)}
        )
        tag = _tag(answer.meta)
        if file.version and tag and tag != file.version:
            raise StorageError(f"{file.url}: changed since it was listed; list it again")
        content = bytes(answer.bytes())
        if len(content) != stop - start:
            raise StorageError(
                f"{file.url}: {len(content)} of {stop - start} bytes came; try again later",
                transient=True,
            )
        return content

    def _store(self, url: str) -> S3Store | HTTPStore:
        """Open the bucket or host of an address, once."""
        root = root_of(url)
        with self._lock:
            if root not in self._stores:
                self._stores[root] = (
                    self._open_bucket(root.removeprefix("s3://"))
                    if root.startswith("s3:")
                    else self._open_host(root)
                )
            return self._stores[root]

    def _open_host(self, root: str) -> HTTPStore:
        from obstore.store import HTTPStore

        return HTTPStore.from_url(root, client_options=self._client(root), retry_config=NO_RETRY)  # type: ignore[arg-type]

    def _open_bucket(self, bucket: str) -> S3Store:
        from obstore.store import S3Store

        if self._connection is None:
            self._connection = read_connection()
        connection = self._connection
        endpoint = (
            connection.endpoint_url
            or os.environ.get("AWS_ENDPOINT_URL_S3")
            or os.environ.get("AWS_ENDPOINT_URL")
            or ""
        )
        region = (
            connection.region_name
            or os.environ.get("AWS_REGION")
            or os.environ.get("AWS_DEFAULT_REGION")
            or "us-east-1"
        )
        if not REGION.fullmatch(region):
            raise StorageError(f"s3://{bucket}: AWS_REGION is wrong; set it to a name as us-west-2")
        if endpoint and not ENDPOINT.fullmatch(endpoint):
            raise StorageError(
                f"s3://{bucket}: AWS_ENDPOINT_URL is wrong; set it to an address as https://host:port"
            )
        config: dict[str, Any] = {"region": region, "virtual_hosted_style_request": False}
        if endpoint:
            config["aws_endpoint_url_s3"] = (
                endpoint  # the spelling that no environment variable overrides
            )
        if connection.anonymous:
            config["skip_signature"] = True
        return S3Store(
            bucket,
            config=config,  # type: ignore[arg-type]
            credential_provider=_credentials(connection),
            client_options=self._client(endpoint),  # type: ignore[arg-type]
            retry_config=NO_RETRY,  # type: ignore[arg-type]
        )

    def _client(self, endpoint: str) -> dict[str, Any]:
        return {
            "timeout": NEVER,
            "read_timeout": timedelta(seconds=self.retry_policy.timeout_s),
            "connect_timeout": timedelta(seconds=self.retry_policy.connect_timeout_s),
            "allow_http": endpoint.lower().startswith("http://"),
        }

    def _with_retries(self, url: str, request: Callable[[], _T]) -> _T:
        """Make a request, and repeat it after transient failures as the retry policy allows."""
        from obstore.exceptions import BaseError

        for attempt in range(self.retry_policy.attempts):
            try:
                return request()
            except StorageError as error:
                told = error
            except (BaseError, OSError, ValueError) as error:
                told = explained(url, error)
            if not told.transient or attempt + 1 == self.retry_policy.attempts:
                raise told from None
            longest = min(
                self.retry_policy.longest_wait_s, self.retry_policy.first_wait_s * 2**attempt
            )
            time.sleep(longest * random.uniform(0.5, 1.0))  # noqa: S311 no secret
        raise AssertionError("there is at least one attempt")


def _credentials(connection: Connection) -> Callable[[], S3Credential] | None:
    """Return a provider of a connection's own keys.

    A session token from the environment would not belong to them.
    """
    key_id, secret, token = (
        connection.aws_access_key_id,
        connection.aws_secret_access_key,
        connection.aws_session_token,
    )
    if key_id is None or secret is None:
        return None
    return lambda: {
        "access_key_id": key_id.get_secret_value(),
        "secret_access_key": secret.get_secret_value(),
        "token": token.get_secret_value() if token else None,
        "expires_at": None,
    }


def _read_local(path: Path, start: int, stop: int) -> bytes:
    try:
        with path.open("rb") as opened:
            opened.seek(start)
            content = opened.read(stop - start)
    except OSError as error:
        raise StorageError(
            f"{path}: {error.strerror}; check that it is there and may be read"
        ) from error
    if len(content) != stop - start:
        raise StorageError(
            f"{path}: {len(content)} of {stop - start} bytes are there; the file was truncated "
            "since it was listed; list it again"
        )
    return content


def _tag(meta: Any) -> str:
    """Return the ETag without quotes; empty if the server gives none."""
    return (meta["e_tag"] or "").strip('"')


def _of(suffixes: Collection[str]) -> str:
    return f" in {', '.join(suffixes)}" if suffixes else ""
