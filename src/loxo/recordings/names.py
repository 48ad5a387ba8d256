"""Read stem, site and start time of a recording from its path, and name its outputs.

**Start time and site** come from the file name, as recorders and archives write it:

    nn01a_20180126_000000.wav       ELP archive: site, date, time
    20210722_005941.WAV             AudioMoth: no site; 20210722_005941T.WAV if it was triggered
    SITE_20210722_005941.wav        SWIFT, Song Meter; also S4A03895_20190522_000000
    SITE_20210722_005941Z.wav       UTC; or with an offset: 20210722T005941+0100
    5ADA897F.WAV                    first AudioMoths: seconds since 1970 (UTC) in hexadecimal

A time without a zone is a wall-clock time. Only the user knows its zone; without it the start time
is unknown. A file name that continues with a decimal number after the time is that of a clip cut
out of a recording (`nn01b_20180220_000000_57182231.0_57242231.0_cropped`): the time is not the
clip's own and is ignored.

**Outputs** mirror the tree of the recordings below their root (`output_names`), so no two
recordings share an output.

`matching.py` matches the names of recordings in tables to their paths.
"""

from __future__ import annotations

import hashlib
import re
import unicodedata
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from urllib.parse import unquote
from zoneinfo import ZoneInfo

__all__ = [
    "FAMILIES",
    "SUFFIXES",
    "UNREADABLE_SUFFIXES",
    "base_name",
    "common_root",
    "fold",
    "output_names",
    "parse_name",
    "path_below",
    "path_parts",
    "recording_stem",
    "site_of",
    "stem_key",
    "table_recording",
]

# ---- audio files by their extension

_WAV = frozenset({"WAV", "RF64"})  # RF64 has 64-bit sizes; both use the same extensions
FAMILIES: Mapping[str, frozenset[str]] = {
    ".wav": _WAV,
    ".wave": _WAV,
    ".bwf": _WAV,
    ".rf64": _WAV,
    ".w64": frozenset({"W64"}),
    ".flac": frozenset({"FLAC"}),
    ".ogg": frozenset({"OGG"}),
    ".oga": frozenset({"OGG"}),
    ".opus": frozenset({"OGG"}),
    ".mp3": frozenset({"MP3"}),
    ".aif": frozenset({"AIFF"}),
    ".aiff": frozenset({"AIFF"}),
    ".aifc": frozenset({"AIFF"}),
}
"""Formats that a file of each extension may have; extensions in lower case."""
SUFFIXES = tuple(FAMILIES)
"""Extensions of recordings; files in a folder may have them in upper or lower case."""
UNREADABLE_SUFFIXES = (".wac", ".w4v", ".m4a", ".mp4", ".aac", ".wma", ".amr", ".3gp")
"""Extensions of audio files that this package cannot read."""

_AUDIO_EXTENSION = re.compile(
    r"(?<=[^/\\])("
    + "|".join(re.escape(suffix) for suffix in (*SUFFIXES, *UNREADABLE_SUFFIXES))
    + r")\Z",
    re.IGNORECASE,
)
_TABLE_EXTENSION = re.compile(r"(\.table\.\d+)?(\.selections)?\.(txt|tsv|csv)\Z", re.IGNORECASE)
_ALIASES = {"dzan": "dz"}
"""Site codes that are written in two ways: in the tables of Dzanga, and in its file names."""


def path_parts(path: str) -> tuple[str, ...]:
    """Split a POSIX path, a Windows path or an address into its parts, without empty ones and `.`.

    The escapes of a web address (`%20`) are decoded, and its query is removed.

    >>> path_parts("s3://bucket/nn01a/x.wav")
    ('s3:', 'bucket', 'nn01a', 'x.wav')
    """
    text = path.strip()
    if text.lower().startswith(("http://", "https://")):
        text = unquote(re.split(r"[?#]", text, maxsplit=1)[0])
    return tuple(part for part in re.split(r"[/\\]", text) if part not in {"", "."})


def base_name(path: str) -> str:
    """Last part of a path or an address: the file's own name.

    >>> base_name("L:\\\\ELP\\\\nn01a\\\\nn01a_20180126_000000.WAV")
    'nn01a_20180126_000000.WAV'
    """
    parts = path_parts(path)
    return parts[-1] if parts else ""


def recording_stem(path: str) -> str:
    """Base name of a recording without its audio extension, in the spelling of the path.

    >>> recording_stem("L:\\\\ELP\\\\nn01a\\\\nn01a_20180126_000000.WAV")
    'nn01a_20180126_000000'
    """
    return _AUDIO_EXTENSION.sub("", base_name(path))


def table_recording(path: str) -> str:
    """Path of the recording that has the same name as a table, without an extension.

    >>> table_recording("siteA/x.Table.1.selections.txt")
    'siteA/x'
    """
    return _TABLE_EXTENSION.sub("", path)


def fold(text: str) -> str:
    """Normalise letter case and Unicode form (NFC, NFD), so that names can be compared."""
    decomposed = unicodedata.normalize("NFD", text).casefold()
    return unicodedata.normalize("NFC", unicodedata.normalize("NFD", decomposed).casefold())


def stem_key(path: str) -> str:
    """Stem of a recording for comparisons: `fold`ed, and with one spelling of each site."""
    stem = fold(recording_stem(path))
    site, separator, rest = stem.partition("_")
    return f"{_ALIASES.get(site, site)}{separator}{rest}"


# ---- roots and outputs


def common_root(paths: Iterable[str]) -> str:
    """The deepest folder that holds all paths or addresses; empty if there is none.

    >>> common_root(["s3://bucket/wav/a/x.wav", "s3://bucket/wav/b/x.wav"])
    's3://bucket/wav'
    """
    parents = [path.replace("\\", "/").rpartition("/")[0].split("/") for path in paths]
    if not parents:
        return ""
    shared: list[str] = []
    for level in zip(*parents, strict=False):
        if len(set(level)) > 1:
            break
        shared.append(level[0])
    root = "/".join(shared)
    # The scheme alone is not a folder: several buckets have nothing in common.
    return "" if re.fullmatch(r"(s3|https?):/?", root, re.IGNORECASE) else root


def path_below(path: str, root: str) -> str:
    """Path of a recording below a root, with `/` between its parts.

    Without a root, the drive or bucket is the first folder.

    >>> path_below("s3://bucket/wav/nn01a/x.wav", "s3://bucket/wav")
    'nn01a/x.wav'
    >>> path_below("C:\\\\survey\\\\x.wav", "")
    'C/survey/x.wav'
    """
    parts, above = path_parts(path), path_parts(root)
    if parts[: len(above)] == above and len(parts) > len(above):
        parts = parts[len(above) :]
    if parts and parts[0].lower() in {"s3:", "http:", "https:"}:
        parts = parts[1:]
    # An output must not leave its folder, whatever the path.
    inside = [part for part in parts if part != ".."]
    return "/".join(part.removesuffix(":") if i == 0 else part for i, part in enumerate(inside))


def output_names(paths: Sequence[str], root: str) -> dict[str, str]:
    """Path of each recording's outputs below the output folder, without an ending.

    It is the path below the root without the extension. Recordings of one folder whose stems are
    equal, apart from letter case and Unicode form, keep their extensions. If even those are equal,
    a hash of the spelling is appended.

    >>> output_names(["r/a/x.wav", "r/b/x.wav", "r/b/x.flac"], "r")
    {'r/a/x.wav': 'a/x', 'r/b/x.wav': 'b/x.wav', 'r/b/x.flac': 'b/x.flac'}
    """
    below = {path: path_below(path, root) for path in dict.fromkeys(paths)}
    names = {path: _AUDIO_EXTENSION.sub("", name) for path, name in below.items()}
    # The hash of the path below the root stays the same when the root moves. Only if two files have
    # equal paths below the root (one lies elsewhere), the whole path is hashed.
    hashed = {path: f"{name}~{_hash(path.removeprefix(root))}" for path, name in below.items()}
    whole = {path: f"{name}~{_hash(path)}" for path, name in below.items()}
    for longer in (below, hashed, whole):
        names = _lengthen_equals(names, longer)
    return names


def _lengthen_equals(names: dict[str, str], longer: Mapping[str, str]) -> dict[str, str]:
    """Replace names that are equal, apart from letter case and Unicode form, by longer ones."""
    while True:  # a longer name may be equal to one that was unique so far
        taken = Counter(fold(name) for name in names.values())
        equal = [p for p, name in names.items() if taken[fold(name)] > 1 and name != longer[p]]
        if not equal:
            return names
        names = names | {path: longer[path] for path in equal}


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode(errors="surrogatepass")).hexdigest()[:8]


# ---- site and start time

_EXTENSION = re.compile(r"\.[A-Za-z][A-Za-z0-9]{2,3}$")
_DATED = re.compile(
    r"(?P<site>.*?)(?<!\d)(?P<date>\d{8})[_T-](?P<time>\d{6})(?!\d)"
    r"(?P<zone>(?:Z|[+-](?:0\d|1[0-4])(?:00|30|45))(?![0-9A-Za-z]))?(?P<rest>.*)",
    re.DOTALL,
)
_HEXADECIMAL = re.compile(r"(?P<time>[0-9A-F]{8})(?P<rest>_.*)?", re.DOTALL)
_CUT_OUT = re.compile(r"\d\.\d")

_PLAUSIBLE_YEARS = range(2000, 2100)
"""In any other year the clock was not set, or the number is not a time."""
_AUDIOMOTH_YEARS = range(2016, 2030)
"""Years in which AudioMoths wrote hexadecimal names. Few other names decode to these years."""


def parse_name(name: str, timezone: ZoneInfo | None) -> tuple[str | None, datetime | None]:
    """Site and zoned start time from a file name; None for what the name does not say.

    Args:
        name: base name, with or without its extension.
        timezone: zone of wall-clock times in names.

    >>> parse_name("S4A03895_20190522_000000Z.wav", timezone=None)[1].isoformat()
    '2019-05-22T00:00:00+00:00'
    """
    stem = _EXTENSION.sub("", _AUDIO_EXTENSION.sub("", name))
    dated = _DATED.fullmatch(stem)
    if dated is None:
        return None, _hexadecimal_time(stem)
    site = dated["site"].strip("_- .")
    cut_out = _CUT_OUT.search(dated["rest"])
    start = None if cut_out else _time(dated["date"] + dated["time"], dated["zone"], timezone)
    return _ALIASES.get(site, site) or None, start


def site_of(path: str) -> str | None:
    """Site of a recording: what the file name says, else the folder that holds the file.

    AudioMoth file names hold only the time, so there the folder is the site. A drive or a bucket is
    not a site.

    >>> site_of("rec/siteA/20210722_005941.WAV")
    'siteA'
    """
    *folders, name = path_parts(path) or ("",)
    site, _ = parse_name(name, None)
    if folders and re.fullmatch(r"(s3|https?):", folders[0], re.IGNORECASE):
        folders = folders[2:]
    folder = folders[-1] if folders else ".."
    return site or (None if folder == ".." or folder.endswith(":") else folder)


def _hexadecimal_time(stem: str) -> datetime | None:
    found = _HEXADECIMAL.fullmatch(stem)
    if found is None or _CUT_OUT.search(found["rest"] or ""):
        return None
    time = datetime.fromtimestamp(int(found["time"], 16), UTC)
    return time if time.year in _AUDIOMOTH_YEARS else None


def _time(digits: str, zone: str | None, timezone: ZoneInfo | None) -> datetime | None:
    """Zoned time; None if there is no such date, or no zone."""
    try:
        written = datetime.strptime(f"{digits}{zone or '+0000'}", "%Y%m%d%H%M%S%z")
    except ValueError:
        return None
    if zone is not None:
        return _plausible(written)
    return _plausible(written.replace(tzinfo=timezone)) if timezone is not None else None


def _plausible(time: datetime) -> datetime | None:
    return time if time.year in _PLAUSIBLE_YEARS else None
