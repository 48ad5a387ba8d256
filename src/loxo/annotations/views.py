"""Merge the rows that Raven writes for the views (spectrogram, waveform) of one selection.

Rows of one table with the same Selection, the same recording, different views and some time in
common are one event. The row of the spectrogram is kept, because a waveform has no frequency band.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace

from loxo.annotations.dialects import Remark
from loxo.annotations.records import Annotation
from loxo.events import Interval, overlap_s
from loxo.recordings import RecordingName

__all__ = ["Selection", "one_of_each_view"]


@dataclass(frozen=True, slots=True)
class Selection:
    """A row as Raven sees it: which selection, in which view."""

    annotation: Annotation
    number: str
    view: str


def one_of_each_view(selections: list[Selection]) -> list[Selection]:
    """Merge selections that differ only in their view; the result has the first one's position."""
    kept: list[Selection] = []
    places: dict[tuple[RecordingName, str], int] = {}
    for selection in selections:
        key = (selection.annotation.recording, selection.number)
        place = places.get(key)
        if place is not None and _same_in_other_view(kept[place], selection):
            kept[place] = _merged(kept[place], selection)
        else:
            places[key] = len(kept)
            kept.append(selection)
    return kept


def _same_in_other_view(a: Selection, b: Selection) -> bool:
    if not (a.number and a.view and b.view) or a.view == b.view:
        return False
    return overlap_s(_interval(a), _interval(b)) > 0


def _interval(selection: Selection) -> Interval:
    event = selection.annotation.event
    return event.start_s, event.end_s


def _merged(a: Selection, b: Selection) -> Selection:
    """Keep the selection of the spectrogram, else the first, with the remarks of both."""
    chosen = b if _of_spectrogram(b) and not _of_spectrogram(a) else a
    remark = _remark_of(a) | _remark_of(b)
    event = replace(chosen.annotation.event, **asdict(remark))
    return replace(chosen, annotation=replace(chosen.annotation, event=event))


def _remark_of(selection: Selection) -> Remark:
    event = selection.annotation.event
    return Remark(event.marginal, event.shots, event.snr_db, event.note)


def _of_spectrogram(selection: Selection) -> bool:
    return selection.view.casefold().startswith("spectrogram")
