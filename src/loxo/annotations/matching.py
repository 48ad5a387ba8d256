"""Group annotations by the recordings that they belong to.

Tables name recordings in their own ways (`RecordingName`). Here these names are matched to a set of
recordings: the files of a listing (`RecordingIndex`), or, where there is no listing, the recordings
that the tables themselves name (`names_index`).
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain, pairwise, takewhile

from loxo.annotations.records import Annotation, Annotations
from loxo.recordings import AmbiguousNameError, RecordingIndex, RecordingName
from loxo.recordings.matching import (
    Tail,
    agree,
    compatible,
    holds_site,
    is_named_by_table,
    n_equal,
    names_several,
    table_tail,
    tail,
)
from loxo.recordings.names import stem_key, table_recording

__all__ = ["Matched", "match_annotations", "names_index"]


@dataclass(frozen=True, slots=True)
class Matched:
    """Annotations by the path of their recording.

    Args:
        rows: annotations of each recording that the tables name, in order of time; none for a
            recording that was searched and is empty.
        searched: recordings that a person searched, with events or without.
        in_part: recordings that have only a detector's rows in the tables.
        unmatched: number of rows of each name that has no recording; 0 for a name that was
            searched and found empty.
        ambiguous: errors of the names that fit several recordings.
        repeated: number of rows ignored because an earlier table has the same event.
    """

    rows: dict[str, tuple[Annotation, ...]]
    searched: frozenset[str]
    in_part: frozenset[str]
    unmatched: dict[RecordingName, int]
    ambiguous: tuple[AmbiguousNameError, ...]
    repeated: int = 0


def match_annotations(annotations: Annotations, index: RecordingIndex) -> Matched:
    """Find the recording of each annotation.

    A selection that occurs in several tables counts once, because published tables share rows and
    folders hold backup copies. It is the same selection if the recording, the label, the start and
    the end are equal.
    """
    names = annotations.recordings
    found = index.match_all(sorted(names, key=lambda name: (name.longest, name.table)))
    paths = {name: path for name, path in found.items() if isinstance(path, str)}
    rows: dict[str, list[Annotation]] = {path: [] for path in sorted(paths.values())}
    for row in annotations.rows:
        if row.recording in paths:
            rows[paths[row.recording]].append(row)
    once = {path: list(_once(several)) for path, several in rows.items()}
    searched = {paths[name] for name in names - annotations.searched_in_part if name in paths}
    counts = Counter(row.recording for row in annotations.rows)
    return Matched(
        rows={path: tuple(sorted(several, key=_in_time)) for path, several in once.items()},
        searched=frozenset(searched),
        in_part=frozenset(rows) - searched,
        unmatched={name: counts[name] for name, path in found.items() if path is None},
        ambiguous=tuple(e for e in found.values() if isinstance(e, AmbiguousNameError)),
        repeated=sum(map(len, rows.values())) - sum(map(len, once.values())),
    )


def _once(rows: Iterable[Annotation]) -> Iterator[Annotation]:
    """Rows of one recording without those that repeat a row of an earlier table."""
    seen: dict[tuple[str, float, float], str] = {}
    for row in rows:
        key = (row.event.label, row.event.start_s, row.event.end_s)
        if seen.setdefault(key, row.table) == row.table:
            yield row


def _in_time(row: Annotation) -> tuple[float, float, str]:
    return row.event.start_s, row.event.end_s, row.event.label


# ---- recordings that are known from tables alone


def names_index(*annotations: Annotations) -> RecordingIndex:
    """Make an index of the recordings that tables name, where there is no listing of files.

    Each argument holds the tables of one person or program, such as the truth or the detections.
    Folders differ between their machines, so one base name is one recording. Folders are compared
    only if one of the arguments uses the name for several recordings, and without the outer folders
    that all paths of an argument share. The index has the longest path that a table gives a
    recording.
    """
    groups: defaultdict[str, list[_Source]] = defaultdict(list)
    for source in annotations:
        names = sorted(source.recordings, key=lambda name: (name.longest, name.table))
        of_stem: defaultdict[str, list[RecordingName]] = defaultdict(list)
        for name in names:
            of_stem[stem_key(name.file)].append(name)
        n_shared = _n_shared(tail(name.longest) for name in names)
        n_shared_by_tables = _n_shared(table_tail(name) for name in names)
        for stem, several in of_stem.items():
            groups[stem].append(_Source(several, n_shared, n_shared_by_tables))
    tails: dict[str, Tail] = {}
    for stem in sorted(groups):
        tails |= _recordings_of_stem(groups[stem])
    return RecordingIndex(tails, tails=tails)


_Named = tuple[str, Tail]
"""A path, and its tail."""


@dataclass(frozen=True, slots=True)
class _Source:
    """Names of one stem in the tables of one person or program.

    Args:
        n_shared: number of outer folders that all paths of the source share, of any stem.
        n_shared_by_tables: number of outer folders that all its tables share.
    """

    names: Sequence[RecordingName]
    n_shared: int
    n_shared_by_tables: int

    def by_path(self) -> list[_Named]:
        """Pairs of path and tail, by the paths that the tables give; a bare name has no folders."""
        return [(name.longest, tail(name.longest)) for name in self.names]

    def by_table(self) -> list[_Named]:
        """Pairs of path and tail, by the paths of tables that name no other recording."""
        own = filter(is_named_by_table, self.names)
        return [(table_recording(name.table), table_tail(name)) for name in own]

    def depth(self) -> int:
        """Number of parts of the tails that count, from the inside."""
        by_path = _depth([of for _, of in self.by_path()], self.n_shared)
        return max(by_path, _depth([of for _, of in self.by_table()], self.n_shared_by_tables))


def _n_shared(tails: Iterable[Tail]) -> int:
    """Number of outer folders that all tails with folders share."""
    outer = [of[:0:-1] for of in tails if len(of) > 1]
    levels = zip(*outer, strict=False)
    return len(list(takewhile(lambda level: len(set(level)) == 1, levels)))


def _depth(tails: Collection[Tail], n_shared: int) -> int:
    """Number of parts of tails without the outer folders that are shared.

    The innermost folder always counts, and so does every part that distinguishes two tails.
    """
    # In sorted order the tails that agree furthest are neighbours.
    different = (pair for pair in pairwise(sorted(tails)) if not agree(*pair))
    n_to_distinguish = max((n_equal(*pair) + 1 for pair in different), default=0)
    return max(2, n_to_distinguish, max(map(len, tails), default=0) - n_shared)


def _recordings_of_stem(sources: Sequence[_Source]) -> dict[str, Tail]:
    """Path and tail of each recording that the names of one stem stand for."""
    by_path = [source.by_path() for source in sources]
    by_table = [source.by_table() for source in sources]
    depth = max(source.depth() for source in sources)
    names = list(chain.from_iterable(source.names for source in sources))
    sites = any(map(holds_site, names))
    tables_count = not sites and _table_folders_distinguish(by_path, by_table, depth)
    if tables_count or any(names_several(source.names) for source in sources):
        named = [*chain(*by_path), *(chain(*by_table) if tables_count else ())]
        return _clusters([(path, of[:depth]) for path, of in named])
    longest = _longest_path(list(chain(*by_path)))
    return {longest: tail(longest)[:1]}


def _table_folders_distinguish(
    by_path: Sequence[Sequence[_Named]], by_table: Sequence[Sequence[_Named]], depth: int
) -> bool:
    """Whether tables of equal names in several folders belong to several recordings.

    The folders may mean something else, such as labels. They mean recordings if some of them have
    the name of a folder in a path, and others do not. If no table gives a path, they mean
    recordings if there is only one source, or if all sources have a folder in common.
    """
    tables = [_inner_parts(source, depth) for source in by_table]
    innermost = {of[:2] for _, of in chain(*by_path) if len(of) > 1}
    if innermost:
        is_known = {of[:2] in innermost for of in chain(*tables)}
        return len(is_known) > 1
    if all(map(compatible, tables)):
        return False
    return len(tables) == 1 or bool(set.intersection(*tables))


def _inner_parts(named: Iterable[_Named], depth: int) -> set[Tail]:
    """The innermost `depth` parts of each tail."""
    return {of[:depth] for _, of in named}


def _clusters(named: Sequence[_Named]) -> dict[str, Tail]:
    """Path and tail of each recording of one stem, distinguished by folders.

    Each tail that no other tail extends is a recording. A path belongs to it if it agrees with no
    other recording. The recording gets the shortest tail of its paths, so that longer paths of
    other machines agree with it, too.
    """
    tails = {of for _, of in named}
    whole = {of for of in tails if not _is_extended(of, tails)}
    members: dict[Tail, list[_Named]] = {of: [] for of in sorted(whole)}
    for path, of in named:
        agreeing = [one for one in whole if agree(of, one)]
        if len(agreeing) == 1:
            members[agreeing[0]].append((path, of))
    return {_longest_path(several): _shortest_tail(several) for several in members.values()}


def _longest_path(named: Sequence[_Named]) -> str:
    """The path with most folders; of equals, the first one."""
    return max((path for path, _ in named), key=lambda path: len(tail(path)))


def _shortest_tail(named: Sequence[_Named]) -> Tail:
    return min((of for _, of in named), key=len)


def _is_extended(shorter: Tail, tails: Iterable[Tail]) -> bool:
    """Whether one of some tails begins with a tail and has further folders."""
    return any(len(longer) > len(shorter) and agree(longer, shorter) for longer in tails)
