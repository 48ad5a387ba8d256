"""Pictures of recordings: what one sounds like from end to end, and what was found where.

Rumbles and gunshots are not seen with the same eyes, so a picture has two panels over one time axis:

    low    0-200 Hz, windows of 480 ms: the lines of rumbles
    high   0-4 kHz or half the recording's rate, windows of 32 ms: the edges of gunshots, and whatever else there is

A panel has at most `COLUMNS` columns, however long the recording is. Each column stands for all the windows in it: in the low panel for
the **mean** of their power, because a rumble lasts; in the high panel for the **maximum**, because a gunshot does not. The level is in
decibels over the median of its frequency over the picture: the 1/f slope of wind vanishes, and a faint rumble is as dark as a loud insect.

Detections are boxes: rumbles in the low panel, all else in the high one. What is known to be there (`truth`) is a bar at the panel's top.
In a picture of a day a rumble is a twentieth of a pixel wide: marks have a least width, and a recording of more than `LONG_S` is an
overview, in which the highest-scored detections are lettered, to be drawn again below it as close-ups of `CLOSE_UP_S`.

Colours of labels are those of Okabe and Ito, "Color Universal Design" (2008), told apart by all kinds of colour vision.

Figures of an evaluation, and pages of its worst errors, are drawn to files of the same kind.

    pictures.py     samples -> level by time and frequency
    words.py        times, counts and names as they are written
    panels.py       a picture on axes, boxes and captions over it
    recordings.py   a recording from end to end, or a stretch of it
    figures.py      curves, reliability, and figures by group, of an evaluation
    errors.py       the highest-scored false detections and the loudest misses
"""

from __future__ import annotations

from loxo.report.errors import draw_errors
from loxo.report.figures import draw_figures
from loxo.report.pictures import LOW, Picture, View, high_view, picture
from loxo.report.recordings import CloseUp, close_ups, draw_recording, draw_stretch
from loxo.report.words import ticks

__all__ = [
    "LOW",
    "CloseUp",
    "Picture",
    "View",
    "close_ups",
    "draw_errors",
    "draw_figures",
    "draw_recording",
    "draw_stretch",
    "high_view",
    "picture",
    "ticks",
]
