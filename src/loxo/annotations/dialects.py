"""The headers of the field's tables, and what the words in them mean.

A dialect says which columns a table must have and how an event's place in its own file follows from them:

    start in its file   File Offset where the table has one. Raven's Begin Time runs on over all files opened together, so that
                        Begin Time is a place in a file only in tables of a single sound.
    length              a column of durations, or End Time - Begin Time, which is right whether they run on or not.

Column names are compared in lower case and without their unit, so `Begin Time (s)` and `begin time` are one; `Tag 1` and `Tag1` are two.
The first dialect of `DIALECTS` whose columns are all there is the table's.

Words: a **label** is what was heard; `marginal`, `maginal` (sic) and `faint` say that the annotator was in doubt; `DUMMY_NoEles` says
that the file was searched and holds no elephant; a **verdict** is a reviewer's mark on a detector's row.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from enum import Enum, auto

from loxo.events import EVENT_LABELS

__all__ = [
    "DIALECTS",
    "LABEL_COLUMNS",
    "NOTE_COLUMNS",
    "Dialect",
    "Ruling",
    "Verdicts",
    "canonical_column",
    "canonical_label",
    "is_doubt",
    "note_flags",
    "recognise",
    "says_empty",
    "shots_flag",
]

LABEL_COLUMNS = ("tag 1", "tags", "label", "annotation", "species")
"""Where a label may stand; the first one that is not empty counts. `Tag1` is not among them: it holds `1` in the tables that have it."""
NOTE_COLUMNS = ("marginals", "notes", "tag 2", "tag2")
"""Where annotators write their doubts and remarks."""

_RUMBLE, _GUNSHOT = EVENT_LABELS
_SPELLINGS = {
    **dict.fromkeys(("rumble", "rumbles", "rum"), _RUMBLE),
    **dict.fromkeys(("gunshot", "gunshots", "gun shot", "gun", "guns", "shot", "shots"), _GUNSHOT),
}
_DOUBT = re.compile(r"\b(marginal|maginal|faint)\b", re.IGNORECASE)
_SEARCHED_EMPTY = "dummy_noele"


class Ruling(Enum):
    """What a row is: an event, one in doubt, word that the recording was searched, or nothing."""

    EVENT = auto()
    DOUBTFUL = auto()
    SEARCHED = auto()
    NOTHING = auto()


@dataclass(frozen=True, slots=True)
class Verdicts:
    """Columns in which a reviewer marks a detector's rows; any mark but `0` counts.

    A row without a mark was not reviewed and says nothing. A duplicate is the same sound as another row. A row that is `unsure`, or
    marked both `yes` and `no`, is an event in doubt.
    """

    label: str
    yes: str
    no: str
    unsure: str
    duplicate: str
    confidence: str

    def ruling(self, text: Callable[[str], str]) -> Ruling:
        """Ruling on a row, whose cells `text` gives by column."""
        yes, no, unsure, duplicate = (text(column) not in {"", "0"} for column in (self.yes, self.no, self.unsure, self.duplicate))
        if duplicate:
            return Ruling.NOTHING
        if unsure or (yes and no):
            return Ruling.DOUBTFUL
        if yes:
            return Ruling.EVENT
        return Ruling.SEARCHED if no else Ruling.NOTHING


@dataclass(frozen=True, slots=True)
class Dialect:
    """How one kind of table is read; all columns are named in canonical form.

    Args:
        columns: those that a table of the kind must have.
        recording: columns that name the file, the first non-empty one counting; where a table has none, its own name does.
        start: column of the event's start.
        span: columns of its begin and end, whose difference is its length where there is no `duration`.
        duration: column of its length; if it is not one of `columns`, a row may leave it out.
        shots: column that counts the shots of a burst.
        cuts: files may be cuts of one length, one row each, with Begin Times that run on over them.
        of_one_sound: a table may belong to one sound, so that an empty one says that the sound of its name was searched.
        of_one_run: files are told apart by their whole path, as those of a detection run are.
    """

    name: str
    columns: tuple[str, ...]
    recording: tuple[str, ...] = ("begin file", "begin path")
    start: str = "file offset"
    span: tuple[str, str] = ("begin time", "end time")
    band: tuple[str, str] = ("low freq", "high freq")
    duration: str | None = None
    shots: str | None = None
    verdicts: Verdicts | None = None
    cuts: bool = False
    of_one_sound: bool = False
    of_one_run: bool = False


_GUN_VERDICTS = Verdicts(_GUNSHOT, "gunshot", "not_gunshot", "not_sure", "duplicate", "confidence")

DIALECTS = (
    Dialect(
        "loxo detections",
        ("recording", "label", "start_s", "end_s", "low_hz", "high_hz", "score"),
        recording=("recording",),
        start="start_s",
        span=("start_s", "end_s"),
        band=("low_hz", "high_hz"),
        of_one_run=True,
    ),
    Dialect(
        "loxo selection table",
        ("begin time", "end time", "begin path", "file offset", "begin file", "label", "score"),
        recording=("begin path", "begin file"),
        of_one_sound=True,
        of_one_run=True,
    ),
    Dialect(
        "reviewed detections",
        ("begin time", "end time", "begin file", "file offset", "gunshot", "not_gunshot"),
        verdicts=_GUN_VERDICTS,
    ),
    Dialect(
        "reviewed detections in cuts",
        ("begin time", "end time", "begin file", "gunshot", "not_gunshot"),
        start="begin time",
        verdicts=_GUN_VERDICTS,
        cuts=True,
    ),
    Dialect("ecoGuns", ("begin time", "end time", "begin file", "file offset", "numshots"), shots="numshots"),
    # Published copies print Begin and End Time with seven digits, whose difference is wrong by up to a second; Delta Time is exact.
    Dialect(
        "grid guns",
        ("begin time", "end time", "begin file", "file offset", "total shots"),
        duration="delta time",
        shots="total shots",
    ),
    Dialect("Raven, several files", ("begin time", "end time", "begin file", "file offset"), of_one_sound=True),
    Dialect("Raven, one sound", ("begin time", "end time"), start="begin time", of_one_sound=True),
    Dialect("ELP six columns", ("file offset", "filename", "duration"), recording=("filename",), duration="duration"),
    Dialect("ELP hand-browse clusters", ("file offset", "begin file", "duration"), duration="duration"),
)


def canonical_column(name: str) -> str:
    """Column name in lower case, spaces single, without its unit.

    >>> canonical_column("Low Freq (Hz)")
    'low freq'
    """
    return re.sub(r" ?\((s|hz)\)$", "", " ".join(name.casefold().split()))


def recognise(columns: Iterable[str]) -> Dialect | None:
    """Dialect of a table with these columns; None for a header that is not known."""
    there = set(columns)
    return next((dialect for dialect in DIALECTS if there.issuperset(dialect.columns)), None)


def canonical_label(text: str) -> str:
    """The package's spelling of its own labels; others stay as they are written."""
    return _SPELLINGS.get(text.casefold(), text)


def says_empty(text: str) -> bool:
    """Whether a cell says that the recording was searched and holds nothing."""
    return text.casefold().startswith(_SEARCHED_EMPTY)


def is_doubt(text: str) -> bool:
    """Whether a cell says nothing but that the annotator was in doubt."""
    return _DOUBT.fullmatch(text) is not None


def note_flags(text: str) -> frozenset[str]:
    """Flags of a remark: `marginal` for a doubt, and the remark itself as `note=...` where it says more than that."""
    doubt = {"marginal"} if _DOUBT.search(text) else set()
    remark = {f"note={text}"} if text and not is_doubt(text) else set()
    return frozenset(doubt | remark)


def shots_flag(text: str) -> frozenset[str]:
    """The count of a burst as it stands in the table, `shots=13`, `shots=?`; a spreadsheet's `13.0` is 13."""
    return frozenset({f"shots={text.removesuffix('.0')}"} if text else ())
