"""Wording of times, counts and names in a picture."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from matplotlib.font_manager import FontProperties, findfont, get_font

from loxo.events import EVENT_LABELS, Detection
from loxo.timeline import ceil_div

__all__ = ["MOST_TICKS", "drawable", "headline", "ticks", "time_text", "time_title"]

DAY_S = 86_400
STEPS_S = (1, 2, 5, 10, 30, 60, 120, 300, 600, 1800, 3600, 7200, 10_800, 21_600, 43_200, DAY_S)
"""Seconds from tick to tick; longer recordings have whole days."""
MOST_TICKS = 12
"""Most ticks of a time axis."""


def ticks(
    end_s: float, start_time: datetime | None, begin_s: float = 0.0
) -> list[tuple[float, str]]:
    """Choose round times for the ticks of a time axis, at most `MOST_TICKS`.

    Args:
        begin_s, end_s: ends of the axis, in seconds from the start of the recording.
        start_time: of the recording. Ticks are times of the day if it is known, and times from the
            start if it is None.

    Returns:
        The second of each tick from the start of the recording, and its text.
    """
    length_s = end_s - begin_s
    whole_days_s = DAY_S * ceil_div(math.ceil(length_s), DAY_S * MOST_TICKS)
    step_s = next((step for step in STEPS_S if length_s / step < MOST_TICKS), whole_days_s)
    day_s = 0
    if start_time is not None:
        day_s = start_time.hour * 3600 + start_time.minute * 60 + start_time.second
    first, last = math.ceil((begin_s + day_s) / step_s), math.floor((end_s + day_s) / step_s)
    times_s = [step_s * number - day_s for number in range(first, last + 1)]
    return [(time_s, time_text(time_s, start_time, seconds=step_s < 60)) for time_s in times_s]


def time_text(time_s: float, start_time: datetime | None, *, seconds: bool) -> str:
    """Write a time of the day, as 14:03 or 14:03:20; from the recording's start if that is unknown.

    Args:
        time_s: from the start of the recording.
        seconds: whether to write seconds.
    """
    if start_time is not None:
        # Added in UTC, because clocks may be changed during a recording.
        in_utc = start_time.astimezone(UTC) + timedelta(seconds=time_s)
        local = in_utc.astimezone(start_time.tzinfo)
        return f"{local:%H:%M:%S}" if seconds else f"{local:%H:%M}"
    minutes, rest_s = divmod(int(time_s), 60)
    return f"{minutes // 60}:{minutes % 60:02}" + (f":{rest_s:02}" if seconds else "")


def time_title(example: str, start_time: datetime | None) -> str:
    """Title of a time axis.

    Args:
        example: the text of one of its ticks.
    """
    unit = "hours:minutes" if example.count(":") == 1 else "hours:minutes:seconds"
    if start_time is None:
        return f"Time from the start ({unit})"
    return f"Time of day ({unit}) from {start_time:%Y-%m-%d}, {start_time.tzinfo}"


def headline(
    detections: Sequence[Detection], duration_s: float, labels: Sequence[str] = EVENT_LABELS
) -> str:
    """Write how many detections there are in how much time.

    Args:
        labels: named even if none was found; other labels follow.

    >>> headline([Detection("Rumble", 1, 5, 10, 40, 0.9)], 1800)
    '1 rumble and 0 gunshots found in 30 min'
    """
    counts = Counter(dict.fromkeys(labels, 0))
    counts.update(detection.label for detection in detections)
    found = [
        f"{count:,} {label.lower()}{'' if count == 1 else 's'}" for label, count in counts.items()
    ]
    *all_but_last, last = found or ["nothing"]
    named = f"{', '.join(all_but_last)} and {last}" if all_but_last else last
    return f"{named} found in {_length_text(duration_s)}"


def _length_text(duration_s: float) -> str:
    for unit_s, unit in ((3600, "h"), (60, "min")):
        if duration_s >= unit_s:
            return f"{duration_s / unit_s:.3g} {unit}"
    return f"{duration_s:.3g} s"


def drawable(text: str) -> str:
    """Replace characters that the font lacks, such as those of a name that is not UTF-8."""
    font = get_font(findfont(FontProperties()))
    return "".join(
        letter if font.get_char_index(ord(letter)) else "\N{REPLACEMENT CHARACTER}"
        for letter in text
    )
