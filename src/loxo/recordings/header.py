"""Data types of an audio file: its header, its damage, and the position of its samples."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

__all__ = ["Damage", "DamageKind", "Header", "HeaderError", "PcmLayout", "RecordingError"]

DamageKind = Literal[
    "truncated",  # the file ends before the end that its header announces
    "no-data-size",  # the header does not give the length of the recording
    "over-long-size",  # the header announces more than its container holds; nothing is missing
    "short-size",  # the samples continue after the end that the header announces
    "misnamed",  # the content is of another format than the extension says
    "cut-off",  # reading failed or ended before the announced end
    "non-finite",  # values that cannot be decoded, are NaN, or far beyond any sound; read as 0
    "silent",  # all samples have the same value
    "clipped",  # many samples are at full scale
    "low-rate",  # the upper part of the requested band is empty
]


class RecordingError(OSError):
    """A file that cannot be used at all; one line with the path, the reason and the remedy."""


class HeaderError(ValueError):
    """A header that cannot be used; the caller adds the path to the message."""


@dataclass(frozen=True, slots=True)
class Damage:
    """A fault of a recording that can still be used."""

    kind: DamageKind
    detail: str


@dataclass(frozen=True, slots=True)
class PcmLayout:
    """Where uncompressed samples lie in a file.

    Args:
        start: position of the first sample in bytes.
        code: type of a sample as in NumPy (u1, i2, i4, f4, f8), and i3 for 24 bits, which NumPy
            lacks.
        order: byte order, `<` or `>`.
        channels: number of interleaved channels.
    """

    start: int
    code: str
    order: str
    channels: int

    @property
    def frame_bytes(self) -> int:
        """Bytes of one sample of all channels together."""
        return int(self.code[1:]) * self.channels


@dataclass(frozen=True, slots=True)
class Header:
    """What the content of a file says about its samples; its name plays no part.

    Args:
        format: `WAV`, `RF64`, `W64`, `FLAC`, `OGG`, `MP3`, `AIFF`, or a name of libsndfile.
        rate: samples a second.
        channels: number of channels.
        n_samples: samples per channel that the file holds.
        damage: what is wrong with the header.
        layout: position and type of uncompressed samples; None if samples must be decoded.
    """

    format: str
    rate: int
    channels: int
    n_samples: int
    damage: tuple[Damage, ...] = ()
    layout: PcmLayout | None = None
