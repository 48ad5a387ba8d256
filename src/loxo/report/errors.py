"""The errors that say most about a detector, as pictures: false detections with the highest scores, and the clearest misses.

Misses come by their SNR, where the truth says it, and then by their length; `overlap10` says what is an error.
"""

from __future__ import annotations

import heapq
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from loxo.annotations import Annotation
from loxo.evaluation import EVENT_RULES, Evaluation, snr_db
from loxo.events import EVENT_LABELS, Detection
from loxo.recordings import open_recording
from loxo.report.panels import DPI, WIDTH_IN, Marks, write
from loxo.report.pictures import COLUMNS, LOW, Picture, View, high_view
from loxo.report.recordings import (
    CLOSE_UP_GAP_IN,
    CLOSE_UP_IN,
    CLOSE_UP_S,
    CLOSE_UPS,
    CLOSE_UPS_A_ROW,
    close_up_start_s,
    draw_close_up,
    stretches,
)
from loxo.report.words import time_text
from loxo.storage import replacing
from loxo.timeline import ceil_div

__all__ = ["draw_errors", "worst_false", "worst_missed"]

RULE = EVENT_RULES[0]
HEAD_IN, SECTION_IN = 0.6, 0.55
LONGEST_NAME = 21


@dataclass(frozen=True, slots=True)
class Error:
    """A false detection or a missed event, and the recording that it is in."""

    recording: str
    row: Annotation


def worst_false(evaluation: Evaluation, label: str, most: int = CLOSE_UPS) -> list[Error]:
    """False detections, the highest scores first."""
    false = (
        Error(name, judged[label].detections[place])
        for name, judged in evaluation.recordings.items()
        for place in judged[label].outcomes[RULE].false
    )
    return heapq.nlargest(most, false, key=lambda error: -math.inf if error.row.score is None else error.row.score)


def worst_missed(evaluation: Evaluation, label: str, most: int = CLOSE_UPS) -> list[Error]:
    """Missed events, the loudest over the noise first, then the longest."""
    missed = (
        Error(name, judged[label].truth[place])
        for name, judged in evaluation.recordings.items()
        for place in judged[label].outcomes[RULE].missed
    )
    return heapq.nlargest(most, missed, key=_clarity)


def _clarity(error: Error) -> tuple[float, float]:
    level_db = snr_db(error.row.event)
    return -math.inf if level_db is None else level_db, error.row.event.duration_s


def draw_errors(
    evaluation: Evaluation, recordings: Mapping[str, Path], folder: Path, *, tell: Callable[[str], None] | None = None
) -> list[Path]:
    """Write a page of errors for each label that has some, `errors_<label>.png`; returns those written.

    Args:
        recordings: paths by the keys of the evaluation; errors in others are passed over.
        tell: is told why an error cannot be drawn, which is passed over then; without it that is raised.

    Raises:
        OSError: if a recording cannot be read, or a page cannot be written.
        ValueError: if an error lies beyond the end of its recording, which is another one of the same name then.
    """
    folder.mkdir(parents=True, exist_ok=True)
    within = replace(evaluation, recordings={name: judged for name, judged in evaluation.recordings.items() if name in recordings})
    written = []
    for label in EVENT_LABELS:
        false = list(_all_shown(within, {error: _false_title(error) for error in worst_false(within, label)}, recordings, tell))
        missed = list(_all_shown(within, {error: _missed_title(error) for error in worst_missed(within, label)}, recordings, tell))
        if false or missed:
            output = folder / f"errors_{label.lower()}.png"
            with replacing(output) as passing:
                _page(label, {"False detections, the highest scores first": false, "Missed events, the clearest first": missed}).savefig(
                    passing, format="png"
                )
            written.append(output)
    return written


@dataclass(frozen=True, slots=True)
class Shown:
    """An error as it is drawn."""

    picture: Picture
    title: str
    marks: Marks


def _all_shown(
    evaluation: Evaluation, titles: Mapping[Error, str], recordings: Mapping[str, Path], tell: Callable[[str], None] | None
) -> Iterator[Shown]:
    for error, title in titles.items():
        try:
            yield _shown(evaluation, error, title, recordings)
        except (OSError, ValueError) as reason:
            if tell is None:
                raise
            tell(" ".join(str(reason).split()))


def _shown(evaluation: Evaluation, error: Error, title: str, recordings: Mapping[str, Path]) -> Shown:
    recording = open_recording(recordings[error.recording])
    event, judged = error.row.event, evaluation.recordings[error.recording]
    if event.start_s >= recording.duration_s:
        raise ValueError(
            f"{recording.path}: an error at {event.start_s:.1f} s is not within its {recording.duration_s:.1f} s, so it is another "
            "recording of the same name; give the folder of the right ones"
        )
    view = LOW if LOW.shows(event.label) else high_view(recording.rate)
    start_s = close_up_start_s((event.start_s, event.end_s), recording.duration_s)
    (picture,) = stretches(recording, (start_s, start_s + CLOSE_UP_S), [view], columns=COLUMNS // CLOSE_UPS_A_ROW)
    detections = [_detection(row, view) for row in judged[event.label].detections]
    return Shown(picture, title, Marks(detections, [row.event for row in judged[event.label].truth], {}, None))


def _detection(row: Annotation, view: View) -> Detection:
    """A detection to be drawn; over all frequencies where its table names none."""
    event = row.event
    low_hz = 0.0 if event.low_hz is None else event.low_hz
    high_hz = view.top_hz if event.high_hz is None else event.high_hz
    return Detection(event.label, event.start_s, event.end_s, low_hz, high_hz, math.nan if row.score is None else row.score)


def _false_title(error: Error) -> str:
    return f"{_place(error)}" + ("" if error.row.score is None else f", score {error.row.score:.2f}")


def _missed_title(error: Error) -> str:
    level_db = snr_db(error.row.event)
    return f"{_place(error)}, {error.row.event.duration_s:.1f} s" + ("" if level_db is None else f", {level_db:g} dB")


def _place(error: Error) -> str:
    return f"{_shortened(error.recording)} {time_text(error.row.event.start_s, None, seconds=True)}"


def _shortened(name: str) -> str:
    return name if len(name) <= LONGEST_NAME else f"...{name[3 - LONGEST_NAME :]}"


def _page(label: str, sections: Mapping[str, Sequence[Shown]]) -> Figure:
    """Rows of close-ups below the heading of each section."""
    row_in = CLOSE_UP_IN + CLOSE_UP_GAP_IN
    shown = {heading: errors for heading, errors in sections.items() if errors}
    heights_in = [SECTION_IN + row_in * ceil_div(len(errors), CLOSE_UPS_A_ROW) for errors in shown.values()]
    figure = Figure((WIDTH_IN, HEAD_IN + sum(heights_in)), DPI)
    FigureCanvasAgg(figure)
    write(figure, 0.15, f"{label}: errors by the rule {RULE}; boxes are detections, bars above are events", size=13, weight="bold")
    top_in = HEAD_IN
    for (heading, errors), height_in in zip(shown.items(), heights_in, strict=True):
        write(figure, top_in, heading, size=12, weight="bold")
        for number, error in enumerate(errors):
            row, column = divmod(number, CLOSE_UPS_A_ROW)
            draw_close_up(figure, (top_in + SECTION_IN + row * row_in, column), error.picture, error.title, error.marks)
        top_in += height_in
    return figure
