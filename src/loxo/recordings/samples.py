"""Samples on their way from a file to a model: channels become one, a rate becomes another, and an account is kept of what passed."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

import numpy as np
import soxr
from numpy.typing import NDArray

from loxo.recordings.header import Damage
from loxo.timeline import ceil_div

__all__ = ["Block", "SampleCheck", "Samples", "resampled", "to_mono"]

Samples = NDArray[np.int16] | NDArray[np.float32]
"""`(frame, channel)`, as they are in the file."""
Block = NDArray[np.float32]
"""`(sample,)` of one channel; full scale is 1."""

INT16_SCALE = 1 / 32768
FULL_SCALE = 32767 / 32768
"""The largest value of 16 bits; what reaches it may have been cut off there."""
LARGEST = 1e12
"""Far beyond any scale that floats are recorded at, and far below what overflows when it is squared: larger values are no sound."""
CLIPPED_SHARE = 1e-4
"""Share of samples at full scale from which it is reported; single ones are loud, not damaged."""


@dataclass(slots=True)
class SampleCheck:
    """A running account of the samples of a recording, as they were before channels were mixed and rates changed.

    >>> check = SampleCheck()
    >>> check.update(np.zeros((4000, 1), np.int16))
    >>> check.damage()
    (Damage(kind='silent', detail='all samples are 0'),)
    """

    n_values: int = 0
    n_non_finite: int = 0
    n_clipped: int = 0
    low: float = np.inf
    high: float = -np.inf
    notes: list[Damage] = field(default_factory=list)

    def update(self, samples: Samples) -> None:
        """Take account of the next samples `(frame, channel)` or `(frame,)`."""
        values = samples if samples.dtype == np.int16 else samples[_sound(samples)]
        self.n_values += samples.size
        self.n_non_finite += samples.size - values.size
        if values.size == 0:
            return
        scale = INT16_SCALE if values.dtype == np.int16 else 1.0
        low, high = float(values.min()) * scale, float(values.max()) * scale
        if low <= -FULL_SCALE or high >= FULL_SCALE:
            self.n_clipped += int(np.count_nonzero(values >= FULL_SCALE / scale) + np.count_nonzero(values <= -FULL_SCALE / scale))
        self.low, self.high = min(self.low, low), max(self.high, high)

    def note(self, damage: Damage) -> None:
        """Add what was seen elsewhere while the samples were read."""
        self.notes.append(damage)

    def damage(self) -> tuple[Damage, ...]:
        """What is wrong with what has passed so far."""
        found = list(self.notes)
        if self.n_non_finite:
            share = 100 * self.n_non_finite / self.n_values
            found.append(
                Damage("non-finite", f"{self.n_non_finite} samples ({share:.2g} %) are damaged, or no numbers; they are taken as 0")
            )
        if self.low == self.high:
            found.append(Damage("silent", f"all samples are {self.low:.6g}"))
        elif self.n_clipped > CLIPPED_SHARE * self.n_values:
            share = 100 * self.n_clipped / self.n_values
            found.append(Damage("clipped", f"{share:.2g} % of the samples are at full scale or beyond"))
        return tuple(found)


def _sound(samples: Samples) -> NDArray[np.bool_]:
    """Which values can be sound; those that are no numbers cannot."""
    sound: NDArray[np.bool_] = np.abs(samples) <= LARGEST
    return sound


def to_mono(samples: Samples) -> Block:
    """Mean of all channels of `(frame, channel)`; what is no sound counts as 0."""
    if samples.dtype == np.int16:
        columns: list[Block] = [np.multiply(column, INT16_SCALE, dtype=np.float32) for column in samples.T]
    else:
        columns = [np.where(_sound(column), column, np.float32(0)) for column in samples.T]
    # Column by column: several times faster than a mean over a short axis.
    total = columns[0]
    for column in columns[1:]:
        total += column
    return total if len(columns) == 1 else total * np.float32(1 / len(columns))


def resampled(blocks: Iterable[Block], own_rate: int, rate: int) -> Iterator[Block]:
    """Consecutive blocks at another rate; how they are cut does not change a bit of the result.

    Sample `k` of the result is the band-limited signal at the time `k / rate`, and the result has the samples whose times lie within the
    recording: `ceil(n * rate / own_rate)` of `n`. Before and after the recording there is silence.
    """
    stream = soxr.ResampleStream(own_rate, rate, 1, dtype="float32")
    n_in = n_out = 0
    for block in blocks:
        n_in += len(block)
        out = stream.resample_chunk(block)
        n_out += len(out)
        if len(out):
            yield out
    # soxr rounds the length; silence for one sample more of the result makes sure that it is long enough to be cut.
    silence = np.zeros(ceil_div(own_rate, rate) + 1, np.float32)
    rest = stream.resample_chunk(silence, last=True)[: ceil_div(n_in * rate, own_rate) - n_out]
    if len(rest):
        yield rest
