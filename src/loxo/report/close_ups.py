"""Close-ups of `CLOSE_UP_S` of the highest-scored detections of a long recording."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from matplotlib.figure import Figure

from loxo.events import Detection, Interval
from loxo.report.panels import (
    LEFT_IN,
    WIDTH_IN,
    Marks,
    axes_at,
    draw_picture,
    in_order,
    name_frequencies,
)
from loxo.report.pictures import Picture
from loxo.report.words import drawable, time_text

__all__ = [
    "CLOSE_UPS",
    "CLOSE_UPS_A_ROW",
    "CLOSE_UP_GAP_IN",
    "CLOSE_UP_IN",
    "CLOSE_UP_S",
    "CloseUp",
    "close_up_start_s",
    "close_ups",
    "draw_close_up",
]

CLOSE_UP_S = 30.0
"""Length of a close-up in seconds."""
CLOSE_UPS = 12
CLOSE_UPS_A_ROW = 3
LETTERS = "abcdefghijkl"
"""A letter for each of the close-ups."""
LEAD_S = 3.0
"""Seconds before a sound that is longer than its close-up, of which only the start is shown."""
CLOSE_UP_IN, CLOSE_UP_GAP_IN = 1.25, 0.55
"""Height of a close-up, and the space below it, in inches."""
BETWEEN_IN, MARGIN_IN = 0.45, 0.25
"""Space between the close-ups of a row, and at its right end, in inches."""


@dataclass(frozen=True, slots=True)
class CloseUp:
    """A detection that is drawn again as a close-up.

    Args:
        letter: leads from the overview to the close-up.
        start_s: start of the close-up, which is `CLOSE_UP_S` long.
    """

    detection: Detection
    letter: str
    start_s: float

    def title(self, marks: Marks) -> str:
        """Letter, label, time and score, and the number of shots of a burst."""
        found = self.detection
        time = time_text(found.start_s, marks.start_time, seconds=True)
        shots = f", {found.count} shots" if found.count is not None and found.count > 1 else ""
        return f"{self.letter}   {found.label} at {time}, score {found.score:.2f}{shots}"


def close_ups(detections: Sequence[Detection], duration_s: float) -> list[CloseUp]:
    """Choose the detections with the highest scores, as many of each label.

    A detection that another close-up shows already is not chosen.

    Args:
        duration_s: length of the recording.

    Returns:
        The close-ups in order of label and time.
    """
    inside = [detection for detection in detections if detection.start_s < duration_s]
    labels = in_order({detection.label for detection in inside})[:CLOSE_UPS]
    chosen: list[tuple[Detection, float]] = []
    for label in labels:
        mine = [detection for detection in inside if detection.label == label]
        ranked = sorted(mine, key=lambda detection: (-detection.score, detection.start_s))
        apart = _apart(ranked, duration_s, CLOSE_UPS // len(labels))
        chosen += sorted(apart, key=lambda shown: shown[0].start_s)
    return [
        CloseUp(detection, letter, start_s)
        for letter, (detection, start_s) in zip(LETTERS, chosen, strict=False)
    ]


def _apart(
    ranked: Sequence[Detection], duration_s: float, most: int
) -> list[tuple[Detection, float]]:
    """The first detections that no earlier close-up shows, and the starts of their close-ups."""
    shown: list[tuple[Detection, float]] = []
    for detection in ranked:
        sound = detection.start_s, detection.end_s
        if len(shown) < most and not any(_is_within(sound, start_s) for _, start_s in shown):
            shown.append((detection, close_up_start_s(sound, duration_s)))
    return shown


def _is_within(sound: Interval, start_s: float) -> bool:
    """Whether a close-up shows a sound from its start to its end."""
    return start_s <= sound[0] and sound[1] <= start_s + CLOSE_UP_S


def close_up_start_s(sound: Interval, duration_s: float) -> float:
    """Start of a close-up: the sound is in its middle, or starts within it if it is longer.

    Args:
        duration_s: length of the recording, which the close-up does not leave.
    """
    start_s, end_s = sound
    centred_s = (start_s + end_s) / 2 - CLOSE_UP_S / 2
    return max(0.0, min(centred_s, start_s - LEAD_S, duration_s - CLOSE_UP_S))


def draw_close_up(
    figure: Figure, place: tuple[float, int], shown: Picture, title: str, marks: Marks
) -> None:
    """Draw one of `CLOSE_UPS_A_ROW` pictures side by side.

    Args:
        place: inches from the top of the figure, and the position in the row, from 0.
    """
    top_in, column = place
    row_in = WIDTH_IN - LEFT_IN - MARGIN_IN - (CLOSE_UPS_A_ROW - 1) * BETWEEN_IN
    width_in = row_in / CLOSE_UPS_A_ROW
    left_in = LEFT_IN + column * (width_in + BETWEEN_IN)
    axes = axes_at(figure, left_in, top_in, width_in, CLOSE_UP_IN)
    draw_picture(axes, shown, marks)
    axes.set_title(drawable(title), size=10, loc="left", parse_math=False)
    if column == 0:
        name_frequencies(axes)
    ticks_s = (0, 10, 20, 30)
    axes.set_xticks([shown.start_s + after_s for after_s in ticks_s], ["0", "10", "20", "30 s"])
    axes.set_xlim(shown.start_s, shown.end_s)
    axes.tick_params(labelsize=9)
