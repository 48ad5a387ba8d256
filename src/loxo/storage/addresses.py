"""Parse addresses (paths, `file://`, `s3://`, `http(s)://`), match globs, and walk folders."""

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
    "normalised_address",
    "pattern_of",
    "root_of",
]

GLOB = re.compile(r"[*?\[]")
BUCKET = re.compile(r"[a-z0-9][\w.-]*", re.ASCII | re.IGNORECASE)


def is_remote(url: str) -> bool:
    """Tell whether an address is on S3 or on a web server."""
    return url.startswith(("s3://", "http://", "https://"))


def normalised_address(address: str | os.PathLike[str]) -> str:
    """Bring an address into the form that is stored: no `file://`, no slash at its end.

    Raises:
        StorageError: if it has another scheme, an impossible host or bucket, or a password.
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
        raise StorageError(
            f"{given}: {kind}:// is not supported; give a path, or an s3://, http:// or https:// "
            "address"
        )
    if not host:
        raise StorageError(
            f"{given}: the {'bucket' if kind == 's3' else 'host'} is missing; "
            f"write {kind}://name/path"
        )
    if "@" in host:
        raise StorageError(
            f"{kind}://...{host.rpartition('@')[2]}: an address must not hold a password; "
            f"write keys to {CONNECTION_FILE}"
        )
    if kind != "s3" and re.search("[?#]", rest):
        raise StorageError(
            f"{kind}://{re.split('[?#]', rest)[0]}: addresses with ? or # are not supported; "
            "download the file and give its path"
        )
    if not (BUCKET.fullmatch(host) if kind == "s3" else ENDPOINT.fullmatch(f"{kind}://{host}")):
        raise StorageError(
            f"{given}: not a possible name of a {'bucket' if kind == 's3' else 'host'}; "
            "check the address"
        )
    return f"{kind}://{host}/{path}" if path else f"{kind}://{host}"


def root_of(url: str) -> str:
    """Return the address of the bucket or the host."""
    return "/".join(url.split("/", 3)[:3])


def key_in_store(url: str) -> str:
    """Return the key in the bucket as it is written, or the decoded path on the web server."""
    key = url[len(root_of(url)) + 1 :]
    return key if url.startswith("s3://") else unquote(key)


def key_of_file(url: str) -> str:
    """Return the key or path of a file.

    Raises:
        StorageError: if the address is that of a folder.
    """
    key = key_in_store(url)
    if not key or key.endswith("/"):
        raise StorageError(f"{url}: a folder, not a file; give the address of a file")
    return key


def fixed_parts(path: PurePosixPath | Path) -> list[str]:
    """Return the parts of a path before the first one that holds a glob."""
    parts = list(path.parts)
    return parts[
        : next((place for place, part in enumerate(parts) if GLOB.search(part)), len(parts))
    ]


def just_before(prefix: str) -> str | None:
    """Return a key that sorts shortly before all keys with a prefix.

    None where the prefix ends in a folder, since S3 can list that folder itself.
    """
    if not re.search(r"[A-Za-z0-9_-]\Z", prefix):
        return None
    before = chr(ord(prefix[-1]) - 1).replace("/", ".")
    return f"{prefix[:-1]}{before}~"


def pattern_of(glob: str, url: str) -> re.Pattern[str]:
    """Translate a glob into a regular expression.

    `*` stays within one name, `**/` stands for any folders.

    Raises:
        StorageError: if a range such as `[z-a]` in it is empty.
    """
    meanings = {"**/": "(?:.*/)?", "**": ".*", "*": "[^/]*", "?": "[^/]"}
    pieces = re.split(r"(\*\*/|\*\*|\*|\?|\[[^\]]+\])", glob)
    try:
        return re.compile(
            "".join(meanings.get(piece) or _one_of(piece) or re.escape(piece) for piece in pieces),
            re.DOTALL,
        )
    except re.error as error:
        raise StorageError(
            f"{url}: the range in [...] is empty; write the first letter before the last, as [a-z]"
        ) from error


def _one_of(piece: str) -> str:
    """Translate `[...]` or `[!...]` into a regular expression; empty if it is something else."""
    inner = re.fullmatch(r"\[(!?)([^\]]+)\]", piece)
    if inner is None:
        return ""
    characters = re.escape(inner[2]).replace(r"\-", "-")
    return f"(?!/)[{'^' if inner[1] else ''}{characters}]"


def is_wanted(name: str, suffixes: Collection[str]) -> bool:
    """Tell whether a name is not hidden and has one of some suffixes, in any letter case."""
    return not name.startswith(".") and (
        not suffixes or name.lower().endswith(tuple(suffix.lower() for suffix in suffixes))
    )


def files_below(
    folder: Path, suffixes: Collection[str] = (), entered: set[Path] | None = None
) -> Iterator[Path]:
    """Walk a folder and yield the files with one of some suffixes, in any letter case.

    Hidden files, such as `._x.wav` of macOS, are ignored. Links to folders are followed, and each
    folder is entered once. A folder that cannot be read is yielded itself, so that opening it
    gives the reason.

    Args:
        suffixes: wanted extensions; all files if there are none.
        entered: folders that were entered before; folders entered now are added.
    """
    entered = set() if entered is None else entered
    unreadable: list[Path] = []
    for parent, folders, names in os.walk(
        folder, onerror=lambda error: unreadable.append(Path(error.filename)), followlinks=True
    ):
        real = Path(parent).resolve()
        if real in entered:
            folders.clear()
            continue
        entered.add(real)
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        yield from (Path(parent, name) for name in names if is_wanted(name, suffixes))
    yield from unreadable
