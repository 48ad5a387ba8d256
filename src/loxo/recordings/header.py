"""What a file says of itself, and what is wrong with it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

__all__ = ["Damage", "DamageKind", "Header", "HeaderError", "PcmLayout", "RecordingError"]

DamageKind = Literal[
    "truncated",  # the file ends before what its header announces
    "no-data-size",  # the header does not say how long the recording is
    "over-long-size",  # the header announces more than it has room for, in a file that is otherwise whole
    "short-size",  # the samples go on after the end that the header announces
    "misnamed",  # the content belies the extension
    "cut-off",  # reading failed, or ended, before what the header announces
    "non-finite",  # values that cannot be decoded, are no numbers, or no sound's; they are read as zero
    "silent",  # all samples hold one value
    "clipped",  # many samples are at full scale
    "low-rate",  # the upper part of the band that was asked for is empty
]


class RecordingError(OSError):
    """A file of which nothing can be used: one line with the path, what is wrong, and the remedy."""


class HeaderError(ValueError):
    """What is wrong with a header, for the one who knows the path."""


@dataclass(frozen=True, slots=True)
class Damage:
    """Something that is wrong with a recording that can be used all the same."""

    kind: DamageKind
    detail: str


@dataclass(frozen=True, slots=True)
class PcmLayout:
    """Where uncompressed samples lie in a file.

    Args:
        start: the first byte of the first sample.
        code: as in NumPy: u1, i2, i4, f4, f8; and i3 for the 24 bits that NumPy does not have.
        order: `<` or `>`, the order of the bytes.
    """

    start: int
    code: str
    order: str
    channels: int

    @property
    def frame_bytes(self) -> int:
        """Bytes of one sample of all channels."""
        return int(self.code[1:]) * self.channels


@dataclass(frozen=True, slots=True)
class Header:
    """What is in a file, whatever its name.

    Args:
        n_samples: of each channel, as far as they are there.
        layout: of samples that can be read as they are; None if they must be decoded.
    """

    format: str
    rate: int
    channels: int
    n_samples: int
    damage: tuple[Damage, ...] = ()
    layout: PcmLayout | None = None
