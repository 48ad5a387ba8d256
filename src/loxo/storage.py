"""Files on a disk, on S3 and on web servers: found, read whole or by ranges of bytes, and written so that they are whole or not there.

An **address** is a path, `file://...`, `s3://bucket/key` or `http(s)://...`. A `StoredFile` is what a listing says of a file (address, size
and a version that changes with its content) and the way to its bytes. Local files are read with the system's own calls, since names on
disks hold what the paths of object stores refuse; the rest is obstore's.

Requests that fail for a moment (a dropped connection, a full server, a slow one, an answer cut short) are repeated after a wait that
doubles, with some chance in it, so that many readers do not come back at once (M. Brooker, "Exponential backoff and jitter", 2015). Others
are errors at once: one line with the address, what is wrong and what to do. Keys are never part of one.

Whatever this package writes on a disk, it writes under a passing name in the same folder and renames.
"""

from __future__ import annotations

import io
import os
import random
import re
import time
from collections.abc import Callable, Collection, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path, PurePosixPath
from threading import Lock
from typing import TYPE_CHECKING, Any, BinaryIO, Literal, Self, TypeVar, cast
from urllib.parse import unquote, urlsplit

import yaml
from pydantic import BaseModel, ConfigDict, SecretStr, ValidationError, model_validator

if TYPE_CHECKING:
    from obstore.store import HTTPStore, S3Store

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

CONNECTION_FILE = Path("config/connection_config.yaml")
"""Where the connection is looked for, from the folder in which a command runs; git ignores it."""
GLOB = re.compile(r"[*?\[]")
LISTED = 1000
"""Objects of one answer to a listing: what S3 gives at most."""
PIECE = 4 << 20
"""Bytes of a piece of a stream."""
READERS = 8
"""Ranges of one file that are fetched at a time."""
AHEAD = (4 << 10, 1 << 20)
"""Bytes that a small read fetches: at first, and at most after reading on and on."""

_T = TypeVar("_T")


class StorageError(OSError):
    """A file or a listing that cannot be had: one line with the address, what is wrong, and the remedy.

    Args:
        passing: whether it may go well another time, with nothing changed.
    """

    def __init__(self, message: str, *, passing: bool = False) -> None:
        super().__init__(message)
        self.passing = passing


# ---- writing


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """A passing name in the folder of `path`, renamed to it at the end, or removed if writing fails."""
    passing = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        yield passing
        passing.replace(path)
    finally:
        passing.unlink(missing_ok=True)


# ---- the connection


class Connection(BaseModel):
    """How S3 is reached; without keys, by the usual AWS environment variables."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    service_name: Literal["s3"] = "s3"
    region_name: str | None = None
    aws_access_key_id: SecretStr | None = None
    aws_secret_access_key: SecretStr | None = None
    aws_session_token: SecretStr | None = None
    endpoint_url: str | None = None
    anonymous: bool = False

    @model_validator(mode="after")
    def consistent(self) -> Self:
        if (self.aws_access_key_id is None) != (self.aws_secret_access_key is None):
            raise ValueError("aws_access_key_id and aws_secret_access_key come together; give both or none")
        if self.anonymous and self.aws_access_key_id is not None:
            raise ValueError("anonymous: true reads without keys; leave out the keys, or anonymous")
        if self.endpoint_url is not None and not re.match(r"https?://[^/]+", self.endpoint_url):
            raise ValueError("endpoint_url: an address as https://host:port is expected")
        return self


def read_connection(path: Path | None = None, *, anonymous: bool = False) -> Connection:
    """The connection of a file, or of `CONNECTION_FILE` if it is there, or that of the environment.

    Args:
        anonymous: read public buckets without keys, whatever keys there are.

    Raises:
        ValueError: if the file is missing though it was named, is not YAML, or a key is unknown or wrong.
    """
    named = path or CONNECTION_FILE
    if path is None and not named.is_file():
        return Connection(anonymous=anonymous)
    try:
        content = yaml.safe_load(named.read_text(encoding="utf-8")) or {}
    except OSError as error:
        raise ValueError(f"{named}: {error.strerror}; write it as config/connection_config.example.yaml shows") from error
    except (yaml.YAMLError, UnicodeDecodeError):
        # The parser's own words would repeat a line of the file, which may hold a key.
        raise ValueError(f"{named}: not YAML; write it as config/connection_config.example.yaml shows") from None
    if not isinstance(content, dict):
        raise ValueError(  # noqa: TRY004 what users can mend is a ValueError
            f"{named}: lines as `region_name: us-west-2` are expected; see config/connection_config.example.yaml"
        )
    if anonymous:
        secrets = {"aws_access_key_id", "aws_secret_access_key", "aws_session_token"}
        content = {key: value for key, value in content.items() if key not in secrets} | {"anonymous": True}
    try:
        return Connection.model_validate(content)
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False)[0]
        place = ".".join(map(str, first["loc"]))
        raise ValueError(f"{named}: {place + ': ' if place else ''}{first['msg'].removeprefix('Value error, ')}") from None


@dataclass(frozen=True, slots=True)
class Patience:
    """How long is waited, and how often is tried.

    Args:
        attempts: of a request, the first included.
        first_wait_s: before the second attempt; doubled before each further one, up to `longest_wait_s`.
        timeout_s: of one request, answer included.
    """

    attempts: int = 6
    first_wait_s: float = 0.5
    longest_wait_s: float = 10.0
    timeout_s: float = 60.0
    connect_timeout_s: float = 10.0


# ---- files


@dataclass(frozen=True, slots=True)
class StoredFile:
    """A file as a listing knows it, and the way to its bytes.

    Args:
        url: a path for local files, else the whole address.
        version: another one when the content is another: an ETag, or the time of the last change.
    """

    url: str
    size: int
    version: str
    storage: Storage = field(repr=False, compare=False)

    @property
    def name(self) -> str:
        last = PurePosixPath(self.url).name
        return unquote(last) if self.url.startswith("http") else last

    @property
    def path(self) -> Path | None:
        """Where it lies on the disk; None if it does not."""
        return None if _is_remote(self.url) else Path(self.url)

    def read(self, start: int, stop: int) -> bytes:
        """Bytes `[start, stop)`, in one request.

        Raises:
            StorageError: if not all of them can be had.
        """
        if not 0 <= start <= stop <= self.size:
            raise ValueError(f"{self.url}: bytes {start} to {stop} are not within 0 to {self.size}")
        return self.storage.fetch(self, start, stop) if stop > start else b""

    def read_ranges(self, ranges: Sequence[tuple[int, int]]) -> list[bytes]:
        """Several ranges at a time, in the order in which they are asked for.

        Raises:
            StorageError: if not all of them can be had.
        """
        with ThreadPoolExecutor(READERS) as pool:
            return list(pool.map(lambda span: self.read(*span), ranges))

    def stream(self) -> Iterator[bytes]:
        """All bytes, in pieces; after a failure, on from where it was.

        Raises:
            StorageError: if it cannot go on.
        """
        for start in range(0, self.size, PIECE):
            yield self.read(start, min(self.size, start + PIECE))

    def open(self) -> BinaryIO:
        """The file as parsers want it: to seek and read in."""
        if self.path is not None:
            return self.path.open("rb")
        return cast("BinaryIO", _RangeFile(self))


class _RangeFile(io.RawIOBase):
    """A remote file to seek and read in.

    A read larger than what is read ahead is one request for just its bytes. Smaller ones are served from a window that grows while
    reading goes on, and is small again after a jump: a header costs a few kilobytes, and a file read through costs few requests.
    """

    def __init__(self, file: StoredFile) -> None:
        super().__init__()
        self.file = file
        self.at = 0
        self.window = b""
        self.window_start = 0
        self.ahead = AHEAD[0]

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self.at

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        base = {os.SEEK_SET: 0, os.SEEK_CUR: self.at, os.SEEK_END: self.file.size}[whence]
        if base + offset < 0:
            raise ValueError(f"{self.file.url}: byte {base + offset} is before the first")
        self.at = base + offset
        return self.at

    def readinto(self, buffer: Any) -> int:
        wanted = memoryview(buffer).cast("B")
        content = self._bytes(min(len(wanted), max(0, self.file.size - self.at)))
        wanted[: len(content)] = content
        self.at += len(content)
        return len(content)

    def _bytes(self, count: int) -> bytes:
        start, stop = self.at, self.at + count
        if count == 0:
            return b""
        end = self.window_start + len(self.window)
        if self.window_start <= start and stop <= end:
            return self.window[start - self.window_start : stop - self.window_start]
        known = self.window[start - self.window_start :] if self.window_start <= start < end else b""
        first = start + len(known)
        if stop - first >= self.ahead:
            return known + self.file.read(first, stop)
        # Reading on: the next window joins the last one.
        self.ahead = min(2 * self.ahead, AHEAD[1]) if first == end and self.window else AHEAD[0]
        self.window = known + self.file.read(first, min(self.file.size, max(stop, first + self.ahead)))
        self.window_start = start
        return self.window[:count]


# ---- storage


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
        url = _plain(address)
        pattern = GLOB.search(url)
        if not _is_remote(url):
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
            fixed = Path(*_fixed_parts(path))
            matches = re.compile(_expression(url))
            paths = sorted(file for file in files_below(fixed, suffixes) if matches.fullmatch(file.as_posix()))
        elif path.is_dir():
            paths = sorted(files_below(path, suffixes))
        else:
            paths = [path]
        if not paths:
            raise StorageError(f"{url}: nothing there{_of(suffixes)}; check the path")
        yield from map(self.file, paths)

    def _find_keys(self, url: str, suffixes: Collection[str]) -> Iterator[StoredFile]:
        import obstore

        bucket, key = urlsplit(url).netloc, _key_in_store(url)
        prefix = "/".join(_fixed_parts(PurePosixPath(key))) if GLOB.search(key) else key.rstrip("/")
        matches = re.compile(_expression(key)) if GLOB.search(key) else None
        store = self._store(url)

        def listed() -> list[StoredFile]:
            found = []
            for chunk in obstore.list(store, prefix or None, chunk_size=LISTED):
                for meta in chunk:
                    name = meta["path"].rsplit("/", 1)[-1]
                    wanted = matches.fullmatch(meta["path"]) if matches else True
                    if wanted and _is_wanted(name, suffixes):
                        found.append(self._of_meta(f"s3://{bucket}/{meta['path']}", meta))
            return sorted(found, key=lambda file: file.url)

        found = self._patiently(f"s3://{bucket}/{prefix}", listed)
        if not found and matches is None and prefix:
            found = [self.file(url)]
        if not found:
            raise StorageError(f"{url}: nothing there{_of(suffixes)}; check the bucket and the prefix")
        yield from found

    def file(self, address: str | os.PathLike[str]) -> StoredFile:
        """One file, with its size and version.

        Raises:
            StorageError: if it is not there, or cannot be reached.
        """
        import obstore

        url = _plain(address)
        if not _is_remote(url):
            try:
                status = Path(url).stat()
            except OSError as error:
                raise StorageError(f"{url}: {error.strerror}; check the path") from error
            return StoredFile(url, status.st_size, str(status.st_mtime_ns), self)
        store, key = self._store(url), _key_in_store(url)
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

        url = _plain(address)
        if url.startswith("http"):
            raise StorageError(f"{url}: nothing can be written to a web server; give a path or an s3:// address")
        if _is_remote(url):
            store, key = self._store(url), _key_in_store(url)
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
            return bytes(obstore.get_range(self._store(file.url), _key_in_store(file.url), start=start, end=stop))
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
                told = _explained(url, error)
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


FINAL = (
    (
        "InvalidAccessKeyId|SignatureDoesNotMatch|InvalidToken|ExpiredToken",
        f"the keys are wrong or have expired; check them in {CONNECTION_FILE}",
    ),
    (r"169\.254\.", f"there are no keys; write them to {CONNECTION_FILE}, or read public buckets with --anonymous"),
    ("NoSuchBucket", "there is no such bucket; check its name and the endpoint"),
    (
        "PermanentRedirect|AuthorizationHeaderMalformed|status code: 30|edirect",
        f"it lies in another region; set region_name in {CONNECTION_FILE}",
    ),
    ("status code: 40[13]", f"access is denied; check the keys in {CONNECTION_FILE}, or read public buckets with --anonymous"),
    ("NotSupported|status code: 416|received status 200", "the server gives no parts of files; fetch the file and give its path"),
    ("status code: 404|not found", "not there; check the address"),
)
"""Failures that no repetition mends, by the words of S3 and of obstore; the first that fits."""
PASSING = (
    ("kind: Timeout|TimedOut|timed out", "no answer in time; the network or the server is too slow, try again later"),
    ("kind: Connect|dns error|onnection refused", "cannot be reached; check the network and the endpoint"),
    (r"status code: (429|5\d\d)", "the server is too busy; try again later"),
)
"""Failures that pass; of others, the connection broke off."""


def _explained(url: str, error: BaseException) -> StorageError:
    """One line for what obstore says in many, in words that are known here: its own may hold parts of a signed request."""
    if isinstance(error, OSError) and error.strerror:
        return StorageError(f"{url}: {error.strerror}; check that it is there and may be read")
    text = f"{type(error).__name__} {error}"
    for expression, meaning in FINAL:
        if re.search(expression, text):
            return StorageError(f"{url}: {meaning}")
    broken = "the connection broke off; check the network, and try again later"
    meaning = next((meaning for expression, meaning in PASSING if re.search(expression, text)), broken)
    return StorageError(f"{url}: {meaning}", passing=True)


# ---- addresses


def _is_remote(url: str) -> bool:
    return url.startswith(("s3://", "http://", "https://"))


def _plain(address: str | os.PathLike[str]) -> str:
    """An address as it is kept: a path instead of file://, no slash at its end.

    Raises:
        StorageError: if it is of another kind.
    """
    url = os.fspath(address)
    kind, separator, rest = url.partition("://")
    if separator and kind.lower() == "file":
        return unquote(rest.removeprefix("localhost")) or "/"
    if separator and kind.lower() not in {"s3", "http", "https"}:
        raise StorageError(f"{url}: {kind}:// is not read; give a path, or an address in s3://, http:// or https://")
    if separator and not urlsplit(url).netloc:
        raise StorageError(f"{url}: it names no {'bucket' if kind == 's3' else 'host'}; write it as {kind}://name/path")
    return url if separator else Path(url).as_posix()


def _key_in_store(url: str) -> str:
    """The key in its bucket, or the path on its host; a key is as it is written, a path of the web is decoded."""
    if url.startswith("s3://"):
        return url.split("/", 3)[3] if url.count("/") > 2 else ""
    return unquote(urlsplit(url).path.lstrip("/"))


def _fixed_parts(path: PurePosixPath | Path) -> list[str]:
    """The folders in front of the first name with a glob."""
    parts = list(path.parts)
    return parts[: next((place for place, part in enumerate(parts) if GLOB.search(part)), len(parts))]


def _expression(pattern: str) -> str:
    """A glob as a regular expression, in which `*` stays within one name and `**/` stands for any folders."""
    pieces = re.split(r"(\*\*/|\*\*|\*|\?|\[[^\]]+\])", pattern)
    meanings = {"**/": "(?:.*/)?", "**": ".*", "*": "[^/]*", "?": "[^/]"}
    return "".join(
        meanings.get(piece) or (piece if piece.startswith("[") and piece.endswith("]") else re.escape(piece)) for piece in pieces
    )


def _is_wanted(name: str, suffixes: Collection[str]) -> bool:
    return not name.startswith(".") and (not suffixes or PurePosixPath(name).suffix.lower() in suffixes)


def _of(suffixes: Collection[str]) -> str:
    return f" in {', '.join(suffixes)}" if suffixes else ""


def files_below(folder: Path, suffixes: Collection[str] = (), entered: set[Path] | None = None) -> Iterator[Path]:
    """Files of a folder and the folders in it, with one of some suffixes, in upper or lower case; all if there are none.

    Nothing hidden comes, such as the `._x.wav` of macOS. Links to folders are followed, but no folder is entered twice. A folder that may
    not be read stands for itself: opening it says so.

    Args:
        entered: folders that were entered before; those entered now are added.
    """
    entered = set() if entered is None else entered
    unreadable: list[Path] = []
    for parent, folders, names in os.walk(folder, onerror=lambda error: unreadable.append(Path(error.filename)), followlinks=True):
        real = Path(parent).resolve()
        if real in entered:
            folders.clear()
            continue
        entered.add(real)
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        yield from (Path(parent, name) for name in names if _is_wanted(name, suffixes))
    yield from unreadable
