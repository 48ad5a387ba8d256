"""Addresses: paths, `file://`, `s3://bucket/key` and `http(s)://`; globs in them; and the files below a folder."""

from __future__ import annotations

import os
import re
from collections.abc import Collection, Iterator
from pathlib import Path, PurePosixPath
from urllib.parse import unquote

from loxo.storage.connection import CONNECTION_FILE, ENDPOINT
from loxo.storage.failures import StorageError

__all__ = [
    "GLOB",
    "files_below",
    "fixed_parts",
    "is_remote",
    "is_wanted",
    "just_before",
    "key_in_store",
    "key_of_file",
    "pattern_of",
    "plain",
    "root_of",
]

GLOB = re.compile(r"[*?\[]")
BUCKET = re.compile(r"[a-z0-9][\w.-]*", re.ASCII | re.IGNORECASE)


def is_remote(url: str) -> bool:
    return url.startswith(("s3://", "http://", "https://"))


def plain(address: str | os.PathLike[str]) -> str:
    """An address as it is kept: a path instead of file://, no slash at its end.

    Raises:
        StorageError: if it is of another kind, or holds what would be a secret.
    """
    given = os.fspath(address)
    kind, separator, rest = given.partition("://")
    kind = kind.lower()
    if not separator:
        return Path(given).as_posix()
    if kind == "file":
        return unquote(rest.removeprefix("localhost")) or "/"
    host, _, path = rest.partition("/")
    if kind not in {"s3", "http", "https"}:
        raise StorageError(f"{given}: {kind}:// is not read; give a path, or an address in s3://, http:// or https://")
    if not host:
        raise StorageError(f"{given}: it names no {'bucket' if kind == 's3' else 'host'}; write it as {kind}://name/path")
    if "@" in host:
        raise StorageError(f"{kind}://...{host.rpartition('@')[2]}: an address holds no password; write keys to {CONNECTION_FILE}")
    if kind != "s3" and re.search("[?#]", rest):
        raise StorageError(f"{kind}://{re.split('[?#]', rest)[0]}: an address with ? or # is not read; fetch the file and give its path")
    if not (BUCKET.fullmatch(host) if kind == "s3" else ENDPOINT.fullmatch(f"{kind}://{host}")):
        raise StorageError(f"{given}: no {'bucket' if kind == 's3' else 'host'} can have this name; check the address")
    return f"{kind}://{host}/{path}" if path else f"{kind}://{host}"


def root_of(url: str) -> str:
    """The bucket or the host of an address, as an address."""
    return "/".join(url.split("/", 3)[:3])


def key_in_store(url: str) -> str:
    """The key in its bucket, or the path on its host; a key is as it is written, a path of the web is decoded."""
    key = url[len(root_of(url)) + 1 :]
    return key if url.startswith("s3://") else unquote(key)


def key_of_file(url: str) -> str:
    key = key_in_store(url)
    if not key or key.endswith("/"):
        raise StorageError(f"{url}: a folder, not a file; give the address of a file")
    return key


def fixed_parts(path: PurePosixPath | Path) -> list[str]:
    """The folders in front of the first name with a glob."""
    parts = list(path.parts)
    return parts[: next((place for place, part in enumerate(parts) if GLOB.search(part)), len(parts))]


def just_before(prefix: str) -> str | None:
    """A key that comes shortly before those with a prefix; None where they start with a folder, which can be asked for itself."""
    if not re.search(r"[A-Za-z0-9_-]\Z", prefix):
        return None
    before = chr(ord(prefix[-1]) - 1).replace("/", ".")
    return f"{prefix[:-1]}{before}~"


def pattern_of(glob: str, url: str) -> re.Pattern[str]:
    """A glob as a regular expression, in which `*` stays within one name and `**/` stands for any folders.

    Raises:
        StorageError: if there is no such glob.
    """
    meanings = {"**/": "(?:.*/)?", "**": ".*", "*": "[^/]*", "?": "[^/]"}
    pieces = re.split(r"(\*\*/|\*\*|\*|\?|\[[^\]]+\])", glob)
    try:
        return re.compile("".join(meanings.get(piece) or _one_of(piece) or re.escape(piece) for piece in pieces), re.DOTALL)
    except re.error as error:
        raise StorageError(f"{url}: no characters are within its [...]; write the first before the last, as [a-z]") from error


def _one_of(piece: str) -> str:
    """`[...]` or `[!...]` as a regular expression; empty if the piece is none."""
    inner = re.fullmatch(r"\[(!?)([^\]]+)\]", piece)
    if inner is None:
        return ""
    characters = re.escape(inner[2]).replace(r"\-", "-")
    return f"(?!/)[{'^' if inner[1] else ''}{characters}]"


def is_wanted(name: str, suffixes: Collection[str]) -> bool:
    return not name.startswith(".") and (not suffixes or name.lower().endswith(tuple(suffix.lower() for suffix in suffixes)))


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
        yield from (Path(parent, name) for name in names if is_wanted(name, suffixes))
    yield from unreadable
