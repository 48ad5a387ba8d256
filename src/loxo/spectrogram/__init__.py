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
aircraft and generators, and keeps what comes and goes. The floor is a running mean, taken twice:
the second time over values that are limited to the first mean, so that an event raises its own
floor little. It is a mean and not a median because a mean costs two additions per value. It moves
with the recording frame by frame, so that scores do not depend on where a block begins; PCEN (Wang
et al. 2017) uses a smoother for the same reason.

Near the ends of a recording the mean is taken over the frames that exist. In a recording of a few
seconds an event therefore raises its own floor more; training includes such windows. Digital
silence (dropped samples, padding) is not a measurement: it is ignored in the floor, and its
features are zero.
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

__all__ = [
    "SILENCE",
    "Bands",
    "FrontEnd",
    "band_tables",
    "decimation_table",
    "filter_bank",
    "log_bands",
    "spectrogram",
    "subtract_floor",
]
