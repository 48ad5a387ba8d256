"""The front end: from samples to the features that a model sees.

One definition (`FrontEnd`) has two implementations: `numpy_front_end` for detection, which works
block by block, and `torch_front_end` for training, which works on batches. They share their tables
and agree to 1e-4 bel.

**Two window lengths.** A rumble is narrow lines that last for seconds, at 8-35 Hz and their
harmonics; far away only one line is left. A gunshot is an edge that rises within milliseconds over
50-1,500 Hz and fades in half a second to three. No single window shows both:

    long window, 400 ms    bands 2.5 Hz apart up to 120 Hz, then each 8.5 % above the last, up to
                           380 Hz: the lines of rumbles
    short window, 120 ms   bands 13 % apart, 100 Hz to 1.9 kHz: the edge and the tail of a gunshot

Both give log power (in bel, that is, log10) in triangular bands, one value per 100 ms frame. Long
windows keep only every fourth sample after a low-pass filter, which halves the work. Short windows
are tapered at their ends only, so that an edge between two frames appears in both.

**Floor.** Each band is then given relative to its own level in the half minute around the frame,
its floor. This removes the 1/f slope of wind, the gain of the recorder and the steady lines of
aircraft and generators, and keeps what comes and goes. The floor is a low quantile of the mean
levels of seconds: a quarter of them lies below it. A mean would rise with a call, most of all in a
recording of some seconds or among many calls; the quantile does not as long as a quarter of the
time is free. It is computed every three seconds of the recording and is linear in between. So
scores do not depend on where a block begins, if blocks begin at whole steps. Without a quantile,
as in the packaged model, the floor is a running mean, taken twice: the second time over values that
are limited to the first mean. docs/accuracy.md compares both.

Near the ends of a recording the quantile is taken over the seconds that exist. An event that fills
a recording of some seconds is its own floor, and hardly seen. Digital silence (dropped samples,
padding) is not a measurement: it is ignored in the floor, and its features are zero. `silence.py`
says which frames are silent, and which ones overlap a silence.

**Onsets.** `onsets.py` gives the level of every hundredth of a second, from which the shots of a
burst are counted. Models do not see it.
"""

from loxo.spectrogram.front_end import Bands, FrontEnd
from loxo.spectrogram.numpy_front_end import (
    SILENCE,
    band_tables,
    decimation_table,
    filter_bank,
    log_bands,
    spectrogram,
    subtract_floor,
)
from loxo.spectrogram.onsets import (
    CELL_S,
    LEVEL_STEP_DB,
    cells_per_frame,
    dequantize_levels,
    onset_levels,
    quantize_levels,
)
from loxo.spectrogram.silence import silent_frames, tainted_frames

__all__ = [
    "CELL_S",
    "LEVEL_STEP_DB",
    "SILENCE",
    "Bands",
    "FrontEnd",
    "band_tables",
    "cells_per_frame",
    "decimation_table",
    "dequantize_levels",
    "filter_bank",
    "log_bands",
    "onset_levels",
    "quantize_levels",
    "silent_frames",
    "spectrogram",
    "subtract_floor",
    "tainted_frames",
]
