"""Times, counts and names as they are written in a picture."""

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
MOST_TICKS = 12


def ticks(end_s: float, start_time: datetime | None, begin_s: float = 0.0) -> list[tuple[float, str]]:
    """Round times of a stretch of a recording, at most `MOST_TICKS`, and how they are written.

    They are of the day if the recording's start is known, else from its start.
    """
    length_s = end_s - begin_s
    step_s = next((step for step in STEPS_S if length_s / step < MOST_TICKS), DAY_S * ceil_div(math.ceil(length_s), DAY_S * MOST_TICKS))
    day_s = 0 if start_time is None else start_time.hour * 3600 + start_time.minute * 60 + start_time.second
    first, last = math.ceil((begin_s + day_s) / step_s), math.floor((end_s + day_s) / step_s)
    times_s = [step_s * number - day_s for number in range(first, last + 1)]
    return [(time_s, time_text(time_s, start_time, seconds=step_s < 60)) for time_s in times_s]


def time_text(time_s: float, start_time: datetime | None, *, seconds: bool) -> str:
    """Hours and minutes, of the day if the start is known, else from the start: 14:03 or 14:03:20."""
    if start_time is not None:
        # By way of UTC, since clocks may be changed during a recording.
        there = (start_time.astimezone(UTC) + timedelta(seconds=time_s)).astimezone(start_time.tzinfo)
        return f"{there:%H:%M:%S}" if seconds else f"{there:%H:%M}"
    minutes, rest_s = divmod(int(time_s), 60)
    return f"{minutes // 60}:{minutes % 60:02}" + (f":{rest_s:02}" if seconds else "")


def time_title(example: str, start_time: datetime | None) -> str:
    """What a time axis with such ticks is called."""
    unit = "hours:minutes" if example.count(":") == 1 else "hours:minutes:seconds"
    return (
        f"Time from the start ({unit})" if start_time is None else f"Time of day ({unit}) from {start_time:%Y-%m-%d}, {start_time.tzinfo}"
    )


def headline(detections: Sequence[Detection], duration_s: float) -> str:
    """How much was found in how long.

    >>> headline([Detection("Rumble", 1, 5, 10, 40, 0.9)], 1800)
    '1 rumble and 0 gunshots found in 30 min'
    """
    counts = Counter(dict.fromkeys(EVENT_LABELS, 0))
    counts.update(detection.label for detection in detections)
    found = [f"{count:,} {label.lower()}{'' if count == 1 else 's'}" for label, count in counts.items()]
    unit_s, unit = next(((size_s, name) for size_s, name in ((3600, "h"), (60, "min")) if duration_s >= size_s), (1, "s"))
    return f"{', '.join(found[:-1])} and {found[-1]} found in {duration_s / unit_s:.3g} {unit}"


def drawable(text: str) -> str:
    """The text with a replacement for each letter that the font lacks, as those of a name that is not UTF-8."""
    font = get_font(findfont(FontProperties()))
    return "".join(letter if font.get_char_index(ord(letter)) else "\N{REPLACEMENT CHARACTER}" for letter in text)
