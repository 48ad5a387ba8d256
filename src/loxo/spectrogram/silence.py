"""Digital silence: samples that no microphone recorded, such as dropped buffers and padding.

A frame is **silent** if all of its bands are at the floor `SILENCE`. The windows of the frames
beside it reach into the silence, so they see an edge that was never heard. Such a frame is
**tainted**; what it holds is no evidence of an event.

    samples   ~~~~~~~~~~|000000000000000000000000000000|~~~~~~~~~~~~
    windows      |--t--|-----|    silent: wholly     |-----|--t--|
                       |--t--|    inside             |--t--|

The samples of a silent frame and its margins are zero. So the silence reaches at least a margin
beyond the last silent frame, and less than a margin and a frame: otherwise the next frame would be
silent, too. Every window that begins before that is tainted.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from loxo.spectrogram.front_end import FrontEnd
from loxo.spectrogram.numpy_front_end import SILENCE_BEL
from loxo.timeline import ceil_div

__all__ = ["silent_frames", "tainted_frames"]


def silent_frames(log_power: NDArray[np.float32]) -> NDArray[np.bool_]:
    """Whether each frame of log power `(frame, band)` in bel is silent, `(frame,)`."""
    # One band rules out nearly all frames of a recording; the others need not be read there.
    silent: NDArray[np.bool_] = log_power[:, 0] <= SILENCE_BEL
    if silent.any():
        silent[silent] = (log_power[silent] <= SILENCE_BEL).all(axis=1)
    return silent


def tainted_frames(front_end: FrontEnd) -> int:
    """Number of frames after a silent one, and before one, whose windows may overlap the silence.

    >>> tainted_frames(FrontEnd())
    5
    """
    return ceil_div(2 * front_end.margin + front_end.hop, front_end.hop)
