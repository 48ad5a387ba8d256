"""Pictures of recordings with their detections, and figures of an evaluation.

Rumbles and gunshots need different views, so a picture has two panels over one time axis:

    low    0-200 Hz, windows of 480 ms: the lines of rumbles
    high   0-4 kHz, or half the recording's rate, windows of 32 ms: the edges of gunshots

A panel has at most `COLUMNS` columns, however long the recording is. Each column summarises all the
windows in it: in the low panel by the **mean** of their power, because a rumble lasts; in the high
panel by the **maximum**, because a gunshot does not. Levels are in decibels over the median of each
frequency over the picture. So the 1/f slope of wind vanishes, and a faint rumble is as dark as a
loud insect.

Detections are boxes: rumbles in the low panel, gunshots in the high one, and other labels where
their sounds lie. Known events (`truth`)
are bars at the top of a panel. In a picture of a day a rumble is a twentieth of a pixel wide, so
marks have a least width. A picture of a recording longer than `LONG_S` is an overview: the
highest-scored detections carry letters, and each is drawn again below as a close-up of
`CLOSE_UP_S`.

Colours of labels are those of Okabe and Ito, "Color Universal Design" (2008), which people with all
kinds of colour vision can distinguish.

Figures of an evaluation, and pages of its worst errors, are drawn to files of the same kind.

    pictures.py     samples -> level by time and frequency
    words.py        wording of times, counts and names
    panels.py       a picture on axes, with boxes and captions
    plotting.py     one recording on Matplotlib axes, for notebooks
    close_ups.py    close-ups of the highest-scored detections of a long recording
    recordings.py   a recording from end to end, or a segment of it, in a file
    figures.py      curves, reliability, and figures by group, of an evaluation
    errors.py       the highest-scored false detections and the loudest misses
"""

from __future__ import annotations

from loxo.report.close_ups import CloseUp, close_ups
from loxo.report.errors import draw_errors
from loxo.report.figures import draw_figures
from loxo.report.pictures import LOW, Picture, View, high_view, picture
from loxo.report.plotting import plot
from loxo.report.recordings import draw_recording, draw_stretch
from loxo.report.words import headline, ticks

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
    "headline",
    "high_view",
    "picture",
    "plot",
    "ticks",
]
