"""Pictures of the errors that say most about a detector: false detections and missed events.

False detections are shown with the highest scores first. Missed events are shown by their SNR,
where the truth has it, and then by their length. Errors are those of the rule `overlap10`.
"""

from __future__ import annotations

import heapq
import math
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from loxo.annotations import Annotation
from loxo.evaluation import EVENT_RULES, Evaluation
from loxo.events import Detection
from loxo.messages import Progress, one_line
from loxo.recordings import open_recording, recording_stem
from loxo.report.close_ups import (
    CLOSE_UP_GAP_IN,
    CLOSE_UP_IN,
    CLOSE_UP_S,
    CLOSE_UPS,
    CLOSE_UPS_A_ROW,
    close_up_start_s,
    draw_close_up,
)
from loxo.report.panels import DPI, WIDTH_IN, Marks, write
from loxo.report.pictures import COLUMNS, LOW, Picture, high_view
from loxo.report.recordings import read_stretches
from loxo.report.words import time_text
from loxo.storage import atomic_write
from loxo.timeline import ceil_div

__all__ = ["draw_errors", "worst_false", "worst_missed"]

RULE = EVENT_RULES[0]
"""The rule whose errors are shown."""
HEAD_IN, SECTION_IN = 0.6, 0.55
LONGEST_NAME = 21
"""Characters of a recording's name in the title of a close-up."""


@dataclass(frozen=True, slots=True)
class Error:
    """A false detection or a missed event, and the recording that it is in.

    Args:
        recording: its name in the evaluation.
    """

    recording: str
    row: Annotation


def worst_false(evaluation: Evaluation, label: str, most: int = CLOSE_UPS) -> list[Error]:
    """The false detections with the highest scores, those first."""
    false = (
        Error(name, results[label].detections[position])
        for name, results in evaluation.recordings.items()
        for position in results[label].matchings[RULE].false_detections
    )
    return heapq.nlargest(most, false, key=_score)


def worst_missed(evaluation: Evaluation, label: str, most: int = CLOSE_UPS) -> list[Error]:
    """The missed events with the highest SNR, then the longest."""
    missed = (
        Error(name, results[label].truth[position])
        for name, results in evaluation.recordings.items()
        for position in results[label].matchings[RULE].missed_events
    )
    return heapq.nlargest(most, missed, key=_clarity)


def _score(error: Error) -> float:
    return -math.inf if error.row.score is None else error.row.score


def _clarity(error: Error) -> tuple[float, float]:
    snr_db = error.row.event.snr_db
    return -math.inf if snr_db is None else snr_db, error.row.event.duration_s


def draw_errors(
    evaluation: Evaluation,
    recordings: Mapping[str, Path],
    folder: Path,
    *,
    progress: Progress | None = None,
) -> list[Path]:
    """Draw a page of errors for each label that has some, `errors_<label>.png`.

    Args:
        recordings: path of each recording, by its name in the evaluation; errors in other
            recordings are not drawn.
        folder: where the pages are written.
        progress: receives why an error cannot be drawn, and the others are drawn. Without it such
            an error is raised.

    Returns:
        The pages that were written.

    Raises:
        OSError: if a recording cannot be read, or a page cannot be written.
        ValueError: if an error lies beyond the end of its recording, which must then be another
            recording of that name.
    """
    folder.mkdir(parents=True, exist_ok=True)
    within = replace(
        evaluation,
        recordings={
            name: results for name, results in evaluation.recordings.items() if name in recordings
        },
    )
    written, reported = [], set[str]()
    for label in evaluation.labels:
        false = {error: _false_title(error) for error in worst_false(within, label)}
        missed = {error: _missed_title(error) for error in worst_missed(within, label)}
        sections = {
            "False detections, the highest scores first": false,
            "Missed events, the clearest first": missed,
        }
        drawn = {
            heading: list(_close_ups(within, titles, recordings, progress, reported))
            for heading, titles in sections.items()
        }
        if any(drawn.values()):
            output = folder / f"errors_{_file_part(label)}.png"
            with atomic_write(output) as temporary:
                _page(label, drawn).savefig(temporary, format="png")
            written.append(output)
    return written


def _file_part(label: str) -> str:
    """A label as a part of a file name."""
    return re.sub(r"[^\w-]+", "_", label.lower())


@dataclass(frozen=True, slots=True)
class _CloseUp:
    """A stretch of a recording around an error, with everything that is drawn over it."""

    picture: Picture
    title: str
    marks: Marks


def _close_ups(
    evaluation: Evaluation,
    titles: Mapping[Error, str],
    recordings: Mapping[str, Path],
    progress: Progress | None,
    reported: set[str],
) -> Iterator[_CloseUp]:
    """Draw errors one after another, and report each reason for a failure once."""
    for error, title in titles.items():
        try:
            yield _close_up(evaluation, error, title, recordings)
        except (OSError, ValueError) as reason:
            if progress is None:
                raise
            line = f"not drawn: {one_line(reason)}"
            if line not in reported:
                progress.message(line)
            reported.add(line)


def _close_up(
    evaluation: Evaluation, error: Error, title: str, recordings: Mapping[str, Path]
) -> _CloseUp:
    recording = open_recording(recordings[error.recording])
    event, results = error.row.event, evaluation.recordings[error.recording]
    if event.start_s >= recording.duration_s:
        raise ValueError(
            f"{recording.path}: an error at {event.start_s:.1f} s is not within its "
            f"{recording.duration_s:.1f} s, so it is another recording of the same name; give the "
            "folder of the right ones"
        )
    detections = [_detection(row) for row in results[event.label].detections]
    truth = [row.event for row in results[event.label].truth]
    marks = Marks(detections, truth, {}, None)
    view = LOW if LOW.shows(event.label, marks.low_labels) else high_view(recording.rate)
    start_s = close_up_start_s((event.start_s, event.end_s), recording.duration_s)
    (picture,) = read_stretches(
        recording, (start_s, start_s + CLOSE_UP_S), [view], columns=COLUMNS // CLOSE_UPS_A_ROW
    )
    return _CloseUp(picture, title, marks)


def _detection(row: Annotation) -> Detection:
    """A row of a table of detections, to be drawn."""
    event, score = row.event, math.nan if row.score is None else row.score
    band_hz, shots = (event.low_hz, event.high_hz), event.shots or None
    return Detection(event.label, event.start_s, event.end_s, *band_hz, score, shots)


def _false_title(error: Error) -> str:
    score = error.row.score
    return _place(error) + ("" if score is None else f", score {score:.2f}")


def _missed_title(error: Error) -> str:
    snr_db = error.row.event.snr_db
    length = f"{_place(error)}, {error.row.event.duration_s:.1f} s"
    return length + ("" if snr_db is None else f", {snr_db:g} dB")


def _place(error: Error) -> str:
    time = time_text(error.row.event.start_s, None, seconds=True)
    return f"{_shortened(recording_stem(error.recording))} {time}"


def _shortened(name: str) -> str:
    """A name with its beginning cut off, where it is too long for the title of a close-up."""
    return name if len(name) <= LONGEST_NAME else f"...{name[3 - LONGEST_NAME :]}"


def _page(label: str, sections: Mapping[str, Sequence[_CloseUp]]) -> Figure:
    """Draw rows of close-ups below the heading of each section."""
    row_in = CLOSE_UP_IN + CLOSE_UP_GAP_IN
    shown = {heading: errors for heading, errors in sections.items() if errors}
    heights_in = [
        SECTION_IN + row_in * ceil_div(len(errors), CLOSE_UPS_A_ROW) for errors in shown.values()
    ]
    figure = Figure((WIDTH_IN, HEAD_IN + sum(heights_in)), DPI)
    FigureCanvasAgg(figure)
    title = f"{label}: errors by the rule {RULE}; boxes are detections, bars above are events"
    write(figure, 0.15, title, size=13, weight="bold")
    top_in = HEAD_IN
    for (heading, errors), height_in in zip(shown.items(), heights_in, strict=True):
        write(figure, top_in, heading, size=12, weight="bold")
        for number, error in enumerate(errors):
            row, column = divmod(number, CLOSE_UPS_A_ROW)
            place = top_in + SECTION_IN + row * row_in, column
            draw_close_up(figure, place, error.picture, error.title, error.marks)
        top_in += height_in
    return figure
