"""Addresses: paths, `file://`, `s3://bucket/key` and `http(s)://`; globs in them; and the files below a folder."""

from __future__ import annotations

import os
import re
from collections.abc import Collection, Iterator
from pathlib import Path, PurePosixPath
from urllib.parse import unquote, urlsplit

from loxo.storage.failures import StorageError

__all__ = ["GLOB", "expression_of", "files_below", "fixed_parts", "is_remote", "is_wanted", "key_in_store", "plain"]

GLOB = re.compile(r"[*?\[]")


def is_remote(url: str) -> bool:
    return url.startswith(("s3://", "http://", "https://"))


def plain(address: str | os.PathLike[str]) -> str:
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


def key_in_store(url: str) -> str:
    """The key in its bucket, or the path on its host; a key is as it is written, a path of the web is decoded."""
    if url.startswith("s3://"):
        return url.split("/", 3)[3] if url.count("/") > 2 else ""
    return unquote(urlsplit(url).path.lstrip("/"))


def fixed_parts(path: PurePosixPath | Path) -> list[str]:
    """The folders in front of the first name with a glob."""
    parts = list(path.parts)
    return parts[: next((place for place, part in enumerate(parts) if GLOB.search(part)), len(parts))]


def expression_of(pattern: str) -> str:
    """A glob as a regular expression, in which `*` stays within one name and `**/` stands for any folders."""
    pieces = re.split(r"(\*\*/|\*\*|\*|\?|\[[^\]]+\])", pattern)
    meanings = {"**/": "(?:.*/)?", "**": ".*", "*": "[^/]*", "?": "[^/]"}
    return "".join(
        meanings.get(piece) or (piece if piece.startswith("[") and piece.endswith("]") else re.escape(piece)) for piece in pieces
    )


def is_wanted(name: str, suffixes: Collection[str]) -> bool:
    return not name.startswith(".") and (not suffixes or PurePosixPath(name).suffix.lower() in suffixes)


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
