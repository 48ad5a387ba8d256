"""Match the names of recordings in tables to recordings.

A table names a recording by the path that it had on the annotator's machine. Two paths name the
same recording if their **tails** agree. Tails are compared part by part, from the base name to the
outer folders, until the shorter one ends:
`E:\\survey\\siteA\\x.WAV`, `siteA/x.wav` and `x` agree; `siteA/x.wav` and `siteB/x.wav` do not.
Separators, letter case and Unicode form are ignored. So is the extension where one path has none,
or a different audio extension.

A set of recordings (`RecordingIndex`) knows each by its path below the root of the set, because the
folders above the root differ between machines. A name that fits several recordings is ambiguous:
it raises an error that names them.
"""

from __future__ import annotations

import operator
from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

from loxo.recordings.names import (
    base_name,
    common_root,
    fold,
    parse_name,
    path_below,
    path_parts,
    recording_stem,
    stem_key,
    table_recording,
)

__all__ = [
    "AmbiguousNameError",
    "RecordingIndex",
    "RecordingName",
    "Tail",
    "agree",
    "compatible",
    "holds_site",
    "is_named_by_table",
    "n_equal",
    "names_several",
    "same_recording",
    "table_tail",
    "tail",
]

Tail = tuple[str, ...]
"""Stem of a path, its folder, the folder of that, and so on, in the form of `fold`."""

_REMEDY = (
    "write the folder in front of the name, as in the column Begin Path, "
    "or put the table into a folder of that name"
)
_REMEDY_IN_ONE_FOLDER = "write the name with its extension, in the letters of the file"


@lru_cache(maxsize=1 << 16)  # one path is compared with many others
def tail(path: str) -> Tail:
    """Stem and folders of a path, from the inside outwards, equal for all spellings.

    Drives and schemes (`E:`, `s3:`) are removed: they are not folders.

    >>> tail("E:\\\\survey\\\\siteA\\\\x.WAV")
    ('x', 'sitea', 'survey')
    """
    *folders, _ = path_parts(path) or ("",)
    named = [folder for folder in folders if folder != ".." and not folder.endswith(":")]
    return (stem_key(path), *map(fold, reversed(named)))


def n_equal(a: Tail, b: Tail) -> int:
    """Number of leading parts that two tails share."""
    count = 0
    for one, other in zip(a, b, strict=False):
        if one != other:
            break
        count += 1
    return count


def agree(a: Tail, b: Tail) -> bool:
    """Whether the shorter of two tails is the beginning of the longer one."""
    return all(map(operator.eq, a, b))  # ends with the shorter one


def compatible(tails: Iterable[Tail]) -> bool:
    """Whether all tails can belong to one recording."""
    longest: Tail = ()
    for one in tails:
        if not agree(longest, one):
            return False
        longest = max(longest, one, key=len)
    return True


def same_recording(a: str, b: str) -> bool:
    """Whether two paths name the same recording, which is so if their tails agree.

    >>> same_recording("E:\\\\survey\\\\siteA\\\\x.WAV", "siteA/x.flac")
    True
    >>> same_recording("siteA/x.wav", "siteB/x.wav")
    False
    """
    return agree(tail(a), tail(b))


class AmbiguousNameError(ValueError):
    """A name that fits several recordings; the message has the name, two of them and the remedy.

    Args:
        name: the name as the table has it.
        recordings: all that it may stand for.
        reason: why it is ambiguous, if not because it fits several recordings.
    """

    def __init__(self, name: str, recordings: Sequence[str], reason: str = "") -> None:
        two = " and ".join(sorted(recordings)[:2]) + (", ..." if len(recordings) > 2 else "")
        why = reason or f"fits {len(recordings)} recordings ({two})"
        several_folders = len({path_parts(path)[:-1] for path in recordings}) > 1
        remedy = _REMEDY if several_folders or reason else _REMEDY_IN_ONE_FOLDER
        super().__init__(f"{name}: {why}; {remedy}")
        self.name = name
        self.recordings = tuple(recordings)


@dataclass(frozen=True, slots=True)
class RecordingName:
    """How a table names a recording.

    Args:
        file: the name itself: Begin File in Raven tables, or a path where the table gives one.
        path: a longer path of the same recording (Begin Path). It counts only where `file` alone
            is not unique. Empty where the table has none.
        table: path of the table. Its folders count where `file` and `path` do not decide.
    """

    file: str
    path: str = ""
    table: str = ""

    @property
    def longest(self) -> str:
        """The longest path that the table gives for the recording."""
        return self.path or self.file


def table_tail(name: RecordingName) -> Tail:
    """Tail of the recording that would lie beside the table in which it is named."""
    return (stem_key(name.file), *tail(name.table)[1:])


def is_named_by_table(name: RecordingName) -> bool:
    """Whether the table names the recording only by its own file name, not in a row."""
    return not name.path and fold(base_name(table_recording(name.table))) == fold(name.file)


def holds_site(name: RecordingName) -> bool:
    """Whether the file name contains a site; two recordings hardly share such a name."""
    return parse_name(base_name(name.file), None)[0] is not None


def names_several(names: Collection[RecordingName]) -> bool:
    """Whether names with one stem stand for several recordings.

    A table is written on one machine, so different paths in it are different recordings. Several
    tables may give one recording different paths (`L:\\ELP\\nn01\\x.wav`, `D:\\work\\x.wav`). Paths
    of different tables are therefore compared only if the file names contain no site, like those of
    AudioMoths.
    """
    by_table: dict[str, set[Tail]] = defaultdict(set)
    for name in names:
        by_table[name.table].add(tail(name.longest))
    if not all(map(compatible, by_table.values())):
        return True
    return not any(map(holds_site, names)) and not compatible(set().union(*by_table.values()))


class RecordingIndex:
    """A set of recordings that are found by the names that tables give them.

    Args:
        paths: paths or addresses of the recordings.
        root: the folder that holds the set; the folders above it do not count in matching.
            None takes the deepest folder that holds all of them.
        tails: tail of each path, if it is not that of the path below the root.
    """

    def __init__(
        self,
        paths: Iterable[str],
        root: str | None = None,
        *,
        tails: Mapping[str, Tail] | None = None,
    ) -> None:
        self.paths = tuple(dict.fromkeys(paths))
        self.root = common_root(self.paths) if root is None else root
        self._tails = (
            {path: tail(path_below(path, self.root)) for path in self.paths}
            if tails is None
            else dict(tails)
        )
        self._by_stem: dict[str, list[str]] = defaultdict(list)
        for path, (stem, *_) in self._tails.items():
            self._by_stem[stem].append(path)

    def match(self, name: RecordingName | str, *, unique: bool = True) -> str | None:
        """Find the recording of a name; None if there is none.

        Args:
            unique: whether the base name alone may decide. Pass False where tables that are read
                together use it for several recordings (see `match_all`).

        Raises:
            AmbiguousNameError: if the name fits several recordings.
        """
        named = RecordingName(name) if isinstance(name, str) else name
        for path in (named.path, named.file if len(path_parts(named.file)) > 1 else ""):
            if path in self._tails:
                return path
        fitting = self._fitting(named, unique=unique)
        if len(fitting) > 1:
            raise AmbiguousNameError(named.longest, fitting)
        return fitting[0] if fitting else None

    def _fitting(self, named: RecordingName, *, unique: bool) -> list[str]:
        fitting = self._agreeing(self._by_stem.get(stem_key(named.file), []), named.file)
        if named.path and (len(fitting) > 1 or not unique):
            fitting = self._agreeing(fitting, named.path)
        for evidence in (tail(named.longest), table_tail(named)):
            fitting = self._nearest(fitting, evidence)
        return _nearest_spelling(fitting, named.longest)

    def _nearest(self, paths: list[str], evidence: Tail) -> list[str]:
        """Keep the recordings that share most folders with a tail."""
        return _most(paths, lambda path: n_equal(self._tails[path], evidence))

    def _agreeing(self, paths: Sequence[str], name: str) -> list[str]:
        wanted = tail(name)
        return [path for path in paths if agree(self._tails[path], wanted)]

    def match_all(
        self, names: Iterable[RecordingName]
    ) -> dict[RecordingName, str | AmbiguousNameError | None]:
        """Find the recording of each name: its path, an error if it is ambiguous, or None.

        Where the tables use one base name for several recordings, a match needs more than the base
        name. Otherwise rows of `siteA` would be matched to `siteB` if only the file of `siteB`
        exists.
        """
        groups: dict[str, list[RecordingName]] = defaultdict(list)
        for name in dict.fromkeys(names):
            groups[stem_key(name.file)].append(name)
        found: dict[RecordingName, str | AmbiguousNameError | None] = {}
        for group in groups.values():
            found |= self._match_group(group)
        return found

    def _match_group(
        self, names: Sequence[RecordingName]
    ) -> dict[RecordingName, str | AmbiguousNameError | None]:
        """Match names with the same stem, and decide which of them may share a recording."""
        several = names_several(names)
        found: dict[RecordingName, str | AmbiguousNameError | None] = {}
        claims: dict[str, list[RecordingName]] = defaultdict(list)
        for name in names:
            try:
                path = found[name] = self.match(name, unique=not several)
            except AmbiguousNameError as error:
                found[name] = error
            else:
                if path is not None:
                    claims[path].append(name)
        for path, claimants in claims.items():
            if several:
                found |= _settle_paths(path, claimants)
            elif not any(map(holds_site, claimants)):
                found |= _settle_tables(path, self._tails[path], claimants)
        return found


def _settle_paths(
    path: str, names: Sequence[RecordingName]
) -> dict[RecordingName, AmbiguousNameError | None]:
    """Decide which names keep a recording that the names of several recordings fit.

    This happens if the recording lies directly in the root of its set, so that it has no folder to
    compare. The folders above the root then decide, if any of them agrees with a name.

    Returns:
        Names that lose the recording: with an error if they are ambiguous, else with None.
    """
    tails = {name: tail(name.longest) for name in names}
    winner = _nearest_tail(path, {own for own in tails.values() if len(own) > 1})
    lost: dict[RecordingName, AmbiguousNameError | None] = {}
    for name, own in tails.items():
        if len(own) == 1 and n_equal(tail(path), table_tail(name)) > 1:
            continue  # a bare name, in a table whose folder has the name of the recording's
        if len(own) == 1 or winner is None:
            lost[name] = _shared_name_error(path, name)
        elif not agree(own, winner):
            lost[name] = None
    return lost


def _nearest_tail(path: str, tails: Collection[Tail]) -> Tail | None:
    """The tail that agrees furthest with a path; None if several do and contradict each other."""
    shared = {one: n_equal(tail(path), one) for one in tails}
    most = max(shared.values(), default=0)
    nearest = [one for one in tails if shared[one] == most]
    if compatible(tails):
        return max(tails, key=len, default=None)
    # A base name alone is no evidence for one of them.
    return max(nearest, key=len) if most > 1 and compatible(nearest) else None


def _settle_tables(
    path: str, below: Tail, names: Sequence[RecordingName]
) -> dict[RecordingName, AmbiguousNameError | None]:
    """Decide which tables keep a recording that is named like the tables of several folders.

    If the folder of one table has the name of the recording's folder, the other tables may belong
    to recordings that are missing, so their names become ambiguous. If no folder has that name, the
    folders mean something else, such as labels, and all names keep the recording.

    Args:
        below: tail of the recording below its root. If it has no folder, the innermost folder of
            the whole path is used.
    """
    known = below if len(below) > 1 else tail(path)[:2]
    shared = {n: n_equal(known, table_tail(n)) for n in names if is_named_by_table(n)}
    most = max(shared.values(), default=0)
    if most == 1:
        return {}
    return {name: _shared_name_error(path, name) for name, n in shared.items() if n < most}


def _shared_name_error(path: str, name: RecordingName) -> AmbiguousNameError:
    shown = name.longest if name.path or not name.table else f"{name.file} in {name.table}"
    reason = f"tables give this file name to several recordings, and it may not be that of {path}"
    return AmbiguousNameError(shown, [path], reason)


def _nearest_spelling(paths: list[str], name: str) -> list[str]:
    """Keep the recordings whose spelling is nearest to that of a name.

    The extension counts first, then letter case and Unicode form, then those of the folders.
    """
    for form in (
        lambda path: fold(base_name(path)),
        lambda path: fold(recording_stem(path)),
        base_name,
        recording_stem,
    ):
        if len(paths) > 1:
            paths = [path for path in paths if form(path) == form(name)] or paths
    return _most(paths, lambda path: n_equal(_exact_tail(path), _exact_tail(name)))


def _exact_tail(path: str) -> Tail:
    """Folders of a path from the inside outwards, as they are spelled."""
    return tuple(reversed(path_parts(path)[:-1]))


def _most(paths: list[str], likeness: Callable[[str], int]) -> list[str]:
    """Keep the recordings with the greatest similarity."""
    if len(paths) < 2:
        return paths
    found = {path: likeness(path) for path in paths}
    most = max(found.values())
    return [path for path in paths if found[path] == most]
