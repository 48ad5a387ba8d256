"""The headers of common annotation tables, and what the words in them mean.

A dialect says which columns a table must have, and which columns give the times of an event in its
own file:

    start    File Offset where the table has one. Raven's Begin Time is cumulative over all files
             that were opened together, so it is a time in a file only in tables of one sound.
    length   A column of durations, or End Time - Begin Time, which is right for cumulative times,
             too.

Column names are compared in lower case and without their unit, so `Begin Time (s)`, `begin time`
and R's `Begin.Time..s.` are one; `Tag 1` and `Tag1` are two. The dialect of a table is the
first one of `DIALECTS` whose columns it has.

Words: a **label** is a kind of sound; `marginal`, `maginal` (sic) and `faint` say that the
annotator was in doubt; `DUMMY_NoEles` says that the file was searched and holds no elephant; a
**verdict** is a reviewer's mark on a detector's row.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from enum import Enum, auto

from loxo.events import EVENT_LABELS

__all__ = [
    "COUNT_COLUMN",
    "DIALECTS",
    "GUNSHOT",
    "LABEL_COLUMNS",
    "NOTE_COLUMNS",
    "Dialect",
    "Remark",
    "RowKind",
    "Verdicts",
    "canonical_column",
    "canonical_label",
    "is_doubt",
    "read_note",
    "read_shots",
    "recognise",
    "says_empty",
]

LABEL_COLUMNS = ("tag 1", "tags", "label", "annotation", "species")
"""Columns of the label; the first one that is not empty counts. `Tag1` is not among them: it holds
`1` in the tables that have it."""
NOTE_COLUMNS = ("marginals", "notes", "tag 2", "tag2")
"""Columns in which annotators write doubts and remarks."""
COUNT_COLUMN = "count"
"""Column of the number of gunshots in tables of detections, and of gunshots in those of people."""
_RECORDING_COLUMNS = (
    "begin file",
    "begin path",
    "filename",
    "file name",
    "file",
    "sound file",
    "sound files",  # warbleR's sound.files
)

_RUMBLE, GUNSHOT = EVENT_LABELS
_SPELLINGS = {
    **dict.fromkeys(("rumble", "rumbles", "rum"), _RUMBLE),
    **dict.fromkeys(("gunshot", "gunshots", "gun shot", "gun", "guns", "shot", "shots"), GUNSHOT),
}
_DOUBT = re.compile(r"\b(marginal|maginal|faint)\b", re.IGNORECASE)
_SNR = re.compile(r"[,; ]*\bsnr_db=(-?\d+(?:\.\d+)?)")
_SHOTS = re.compile(r"[,; ]*\bshots=(\d+)\b")
_SEARCHED_EMPTY = "dummy_noele"


class RowKind(Enum):
    """What a row says."""

    EVENT = auto()
    MARGINAL = auto()
    """An event of which the annotator or reviewer was not sure."""
    SEARCHED_EMPTY = auto()
    """The recording was searched, and there is no event at this time."""
    IGNORED = auto()


@dataclass(frozen=True, slots=True)
class Verdicts:
    """Columns in which a reviewer marks a detector's rows; any mark but `0` counts.

    A row without a mark was not reviewed and says nothing. A duplicate is the same sound as another
    row. A row that is `unsure`, or marked both `yes` and `no`, is a marginal event.
    """

    label: str
    yes: str
    no: str
    unsure: str
    duplicate: str
    confidence: str

    def row_kind(self, text: Callable[[str], str]) -> RowKind:
        """Decide what a row says; `text` returns its cell of a column."""
        yes, no, unsure, duplicate = (
            text(column) not in {"", "0"}
            for column in (self.yes, self.no, self.unsure, self.duplicate)
        )
        if duplicate:
            return RowKind.IGNORED
        if unsure or (yes and no):
            return RowKind.MARGINAL
        if yes:
            return RowKind.EVENT
        return RowKind.SEARCHED_EMPTY if no else RowKind.IGNORED


@dataclass(frozen=True, slots=True)
class Dialect:
    """How one kind of table is read; all columns are named in canonical form.

    Args:
        columns: columns that a table of the kind must have.
        recording: columns that name the recording; the first one that is not empty counts. A
            table without any belongs to the recording that has the table's name.
        start: column of the event's start.
        span: columns of its begin and end. Their difference is the length of the event where there
            is no `duration`.
        band: columns of its lowest and highest frequency.
        duration: column of its length. If it is not one of `columns`, a row may leave it empty.
        shots: column with the number of gunshots in a burst. In tables without one, it is
            `COUNT_COLUMN` for rows of gunshots: of other sounds, a count may mean anything.
        cuts: the files may be cuts of one length, one row each, with cumulative Begin Times.
        of_one_sound: a table may belong to one sound file, so an empty table says that the file
            with its name was searched.
        of_detector: the rows are those of a detector. No person has searched between them.
        typed_remarks: the columns Marginal, Shots, SNR and Notes hold the fields of an `Event`, and
            notes are not searched for words such as `marginal`.
    """

    name: str
    columns: tuple[str, ...]
    recording: tuple[str, ...] = _RECORDING_COLUMNS
    start: str = "file offset"
    span: tuple[str, str] = ("begin time", "end time")
    band: tuple[str, str] = ("low freq", "high freq")
    duration: str | None = None
    shots: str | None = None
    verdicts: Verdicts | None = None
    cuts: bool = False
    of_one_sound: bool = False
    of_detector: bool = False
    typed_remarks: bool = False


_GUN_VERDICTS = Verdicts(GUNSHOT, "gunshot", "not_gunshot", "not_sure", "duplicate", "confidence")

DIALECTS = (
    Dialect(
        "loxo detections",
        ("recording", "label", "start_s", "end_s", "low_hz", "high_hz", "score"),
        recording=("recording",),
        start="start_s",
        span=("start_s", "end_s"),
        band=("low_hz", "high_hz"),
        shots=COUNT_COLUMN,
        of_detector=True,
    ),
    Dialect(
        "loxo selection table",
        ("begin time", "end time", "begin path", "file offset", "begin file", "label", "score"),
        shots=COUNT_COLUMN,
        of_one_sound=True,
        of_detector=True,
    ),
    Dialect(
        "loxo events",
        (
            *("begin time", "end time", "begin path", "file offset", "begin file", "label"),
            *("marginal", "shots", "snr", "notes"),
        ),
        of_one_sound=True,
        typed_remarks=True,
    ),
    Dialect(
        "reviewed detections",
        ("begin time", "end time", "begin file", "file offset", "gunshot", "not_gunshot"),
        verdicts=_GUN_VERDICTS,
        of_detector=True,
    ),
    Dialect(
        "reviewed detections in cuts",
        ("begin time", "end time", "begin file", "gunshot", "not_gunshot"),
        start="begin time",
        verdicts=_GUN_VERDICTS,
        of_detector=True,
        cuts=True,
    ),
    Dialect(
        "ecoGuns",
        ("begin time", "end time", "begin file", "file offset", "numshots"),
        shots="numshots",
    ),
    # Published copies print Begin and End Time with seven digits, whose difference is wrong by up
    # to a second; Delta Time is exact.
    Dialect(
        "grid guns",
        ("begin time", "end time", "begin file", "file offset", "total shots"),
        duration="delta time",
        shots="total shots",
    ),
    Dialect(
        "Raven, several files",
        ("begin time", "end time", "file offset"),
        of_one_sound=True,
    ),
    Dialect("Raven, one sound", ("begin time", "end time"), start="begin time", of_one_sound=True),
    Dialect(
        "ELP six columns",
        ("file offset", "filename", "duration"),
        recording=("filename",),
        duration="duration",
    ),
    Dialect(
        "ELP hand-browse clusters", ("file offset", "begin file", "duration"), duration="duration"
    ),
)


def canonical_column(name: str) -> str:
    """Column name in lower case, with single spaces and without its unit.

    >>> canonical_column("Low Freq (Hz)"), canonical_column("Low.Freq..Hz.")
    ('low freq', 'low freq')
    """
    text = " ".join(name.casefold().split())
    # R turns spaces and brackets into points when it reads a table.
    return re.sub(r" ?\((s|hz|db)\)$|\.\.(s|hz|db)\.$", "", text).replace(".", " ").strip()


def recognise(columns: Iterable[str]) -> Dialect | None:
    """Dialect of a table with these canonical columns; None for an unknown header."""
    there = set(columns)
    return next((dialect for dialect in DIALECTS if there.issuperset(dialect.columns)), None)


def canonical_label(text: str) -> str:
    """Label in the spelling of this package; a label that is not one of its own stays as written.

    >>> canonical_label("shots"), canonical_label("Trumpet")
    ('Gunshot', 'Trumpet')
    """
    return _SPELLINGS.get(text.casefold(), text)


def says_empty(text: str) -> bool:
    """Whether a cell says that the recording was searched and holds nothing."""
    return text.casefold().startswith(_SEARCHED_EMPTY)


def is_doubt(text: str) -> bool:
    """Whether a cell holds only a word for doubt, such as `marginal`."""
    return _DOUBT.fullmatch(text) is not None


@dataclass(frozen=True, slots=True)
class Remark:
    """What a row says of an event besides label, times and band; see the fields of `Event`."""

    marginal: bool = False
    shots: int | None = None
    snr_db: float | None = None
    note: str = ""

    def __or__(self, other: Remark) -> Remark:
        """Join two remarks; the first number of each kind counts."""
        return Remark(
            self.marginal or other.marginal,
            other.shots if self.shots is None else self.shots,
            other.snr_db if self.snr_db is None else self.snr_db,
            ", ".join(dict.fromkeys(filter(None, (self.note, other.note)))),
        )


def read_note(text: str) -> Remark:
    """Read a note: doubts, `snr_db=` and `shots=` as fields, and the rest as it is written.

    >>> read_note("snr_db=12.5, marginal")
    Remark(marginal=True, shots=None, snr_db=12.5, note='')
    """
    snr_db, shots = _SNR.search(text), _SHOTS.search(text)
    rest = _SHOTS.sub("", _SNR.sub("", text)) if snr_db or shots else text
    rest = rest.strip(" ,;")
    return Remark(
        marginal=_DOUBT.search(text) is not None,
        shots=int(shots[1]) if shots else None,
        snr_db=float(snr_db[1]) if snr_db else None,
        note="" if is_doubt(rest) else rest,
    )


def read_shots(text: str) -> Remark:
    """Read a number of gunshots in a burst; what is not a number becomes a note.

    >>> read_shots("13.0").shots, read_shots("?").note
    (13, 'shots ?')
    """
    count = text.removesuffix(".0")
    if count.isdecimal():
        return Remark(shots=int(count))
    return Remark(note=f"shots {text}" if text else "")
