"""Mix channels, resample, and check samples between a file and a model."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

import numpy as np
import soxr
from numpy.typing import NDArray

from loxo.recordings.header import Damage
from loxo.timeline import ceil_div, resampled_length

__all__ = ["Block", "SampleCheck", "Samples", "resampled", "to_mono"]

Samples = NDArray[np.int16] | NDArray[np.float32]
"""Samples `(frame, channel)` as the file stores them."""
Block = NDArray[np.float32]
"""Samples `(sample,)` of one channel; full scale is 1."""

INT16_SCALE = 1 / 32768
FULL_SCALE = 32767 / 32768
"""Largest value of 16 bits; a sample that reaches it may be clipped."""
LARGEST = 1e12
"""Limit of plausible floats: far beyond any scale in use, far below what overflows when squared."""
CLIPPED_SHARE = 1e-4
"""Smallest share of full-scale samples that is reported as clipping; fewer may be loud sounds."""


@dataclass(slots=True)
class SampleCheck:
    """Collect statistics of a recording's samples before they are mixed and resampled.

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
        """Add the next samples `(frame, channel)` or `(frame,)`."""
        values = samples if samples.dtype == np.int16 else samples[_is_plausible(samples)]
        self.n_values += samples.size
        self.n_non_finite += samples.size - values.size
        if values.size == 0:
            return
        scale = INT16_SCALE if values.dtype == np.int16 else 1.0
        low, high = float(values.min()) * scale, float(values.max()) * scale
        if low <= -FULL_SCALE or high >= FULL_SCALE:
            self.n_clipped += int(
                np.count_nonzero(values >= FULL_SCALE / scale)
                + np.count_nonzero(values <= -FULL_SCALE / scale)
            )
        self.low, self.high = min(self.low, low), max(self.high, high)

    def note(self, damage: Damage) -> None:
        """Add damage that was found elsewhere while samples were read."""
        self.notes.append(damage)

    def damage(self) -> tuple[Damage, ...]:
        """Return the damage in all samples so far."""
        found = list(self.notes)
        if self.n_non_finite:
            share = 100 * self.n_non_finite / self.n_values
            found.append(
                Damage(
                    "non-finite",
                    f"{self.n_non_finite} samples ({share:.2g} %) are damaged or not finite; "
                    "they are read as 0",
                )
            )
        if self.low == self.high:
            found.append(Damage("silent", f"all samples are {self.low:.6g}"))
        elif self.n_clipped > CLIPPED_SHARE * self.n_values:
            share = 100 * self.n_clipped / self.n_values
            found.append(
                Damage("clipped", f"{share:.2g} % of the samples are at full scale or beyond")
            )
        return tuple(found)


def _is_plausible(samples: Samples) -> NDArray[np.bool_]:
    """Whether each value is plausible; NaN is not."""
    plausible: NDArray[np.bool_] = np.abs(samples) <= LARGEST
    return plausible


def to_mono(samples: Samples) -> Block:
    """Average the channels of `(frame, channel)`; implausible values count as 0."""
    if samples.dtype == np.int16:
        columns: list[Block] = [
            np.multiply(column, INT16_SCALE, dtype=np.float32) for column in samples.T
        ]
    else:
        columns = [np.where(_is_plausible(column), column, np.float32(0)) for column in samples.T]
    # Adding columns is several times faster than a mean over a short axis.
    total = columns[0]
    for column in columns[1:]:
        total += column
    return total if len(columns) == 1 else total * np.float32(1 / len(columns))


def resampled(blocks: Iterable[Block], own_rate: int, rate: int) -> Iterator[Block]:
    """Resample consecutive blocks; the result does not depend on how the input is cut.

    Sample `k` of the result is the band-limited signal at time `k / rate`. `n` samples give
    `ceil(n * rate / own_rate)`: those whose times lie within the recording. The signal is zero
    before and after the recording.

    Args:
        blocks: `(sample,)` at `own_rate`, in order.
        own_rate: samples a second of the input.
        rate: samples a second of the result.
    """
    stream = soxr.ResampleStream(own_rate, rate, 1, dtype="float32")
    n_in = n_out = 0
    for block in blocks:
        n_in += len(block)
        out = stream.resample_chunk(block)
        n_out += len(out)
        if len(out):
            yield out
    # soxr rounds the length. Silence for one further sample makes the result long enough to be cut
    # to the exact length.
    silence = np.zeros(ceil_div(own_rate, rate) + 1, np.float32)
    n_rest = resampled_length(n_in, own_rate, rate) - n_out
    rest = stream.resample_chunk(silence, last=True)[:n_rest]
    if len(rest):
        yield rest
