"""Recordings that must be decoded: FLAC, OGG, MP3, AIFF, compressed WAV, and whatever else libsndfile recognises by its content.

Decoded samples are float32: reading them as 16 bits is no faster than the decoder, and a float can say that it was not decoded (NaN).
libsndfile opens cut files without a word, so each kind has its own tell-tale: AIFF has its size in front, the last page of an OGG file is
marked, FLAC and MP3 give the number of samples in front and fail, or end, while they are decoded. An MP3 of variable bit rate without
that number has the length that libsndfile estimates.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

import numpy as np
import soundfile
from numpy.typing import NDArray

from loxo.recordings.header import Damage, Header, RecordingError
from loxo.timeline import seconds_at

__all__ = ["decoded_chunks", "read_decoded"]

Decoded = NDArray[np.float32]

UNKNOWN_LENGTH = 2**62
"""libsndfile gives the largest count of all to a FLAC whose encoder was not able to write one."""
COUNT_SIZE = 1 << 20
"""Samples decoded at a time to count them."""
OGG_PAGE = 65_307
"""Bytes of the largest page of an OGG file."""
OGG_END = 0x04
"""The bit of a page's type, its byte 5, that marks a stream's last page (RFC 3533)."""


def read_decoded(path: Path) -> Header:
    """Header of a file by what libsndfile makes of it; 0 samples if the first of them cannot be decoded.

    Raises:
        RecordingError: if it makes nothing of it.
    """
    with _open(path) as sound:
        form, rate, channels, n_samples = str(sound.format), int(sound.samplerate), int(sound.channels), int(sound.frames)
    damage: list[Damage] = []
    if n_samples >= UNKNOWN_LENGTH:
        n_samples = sum(map(len, decoded_chunks(path, 0, n_samples, COUNT_SIZE)))
        damage.append(
            Damage("no-data-size", f"its header does not say how long it is; {seconds_at(n_samples, max(1, rate)):.2f} s can be decoded")
        )
    elif not any(map(len, decoded_chunks(path, 0, min(1, n_samples), 1))):
        n_samples = 0
    with path.open("rb") as file:
        if form == "AIFF":
            damage += _aiff_damage(file)
        elif form == "OGG":
            damage += _ogg_damage(file)
    return Header(form, rate, channels, n_samples, tuple(damage))


def _open(path: Path) -> soundfile.SoundFile:
    try:
        return soundfile.SoundFile(os.fspath(path))
    except (soundfile.LibsndfileError, TypeError) as error:  # TypeError: a name in .raw, for which soundfile wants to be told the format
        with path.open("rb") as file:
            first = file.read(12)
        raise RecordingError(
            f"{path}: no sound that can be read (it begins with {first!r}); copy it again, or convert it to WAV or FLAC"
        ) from error


def _aiff_damage(file: BinaryIO) -> Iterator[Damage]:
    announced = 8 + int.from_bytes(file.read(8)[4:], "big")
    size = file.seek(0, os.SEEK_END)
    if announced > size:
        yield Damage("truncated", f"its header announces {announced} bytes; the file has {size}")


def _ogg_damage(file: BinaryIO) -> Iterator[Damage]:
    size = file.seek(0, os.SEEK_END)
    file.seek(max(0, size - OGG_PAGE))
    tail = file.read()
    last = tail[max(0, tail.rfind(b"OggS")) :]
    if len(last) < 6 or not last[5] & OGG_END:
        yield Damage("truncated", "its last page is not marked as the end")


def decoded_chunks(path: Path, start: int, stop: int, size: int) -> Iterator[Decoded]:
    """Samples `(frame, channel)` from `start` to `stop` as consecutive arrays of up to `size`; ends early where decoding fails.

    Raises:
        RecordingError: if the file is no sound, or `start` cannot be reached.
    """
    with _open(path) as sound:
        if start:
            try:
                sound.seek(start)
            except soundfile.LibsndfileError as error:
                raise RecordingError(
                    f"{path}: sample {start} of {stop} cannot be reached; it is damaged, or it must be converted"
                ) from error
        for at in range(start, stop, size):
            samples = np.full((min(size, stop - at), sound.channels), np.nan, np.float32)
            n_decoded, failed = _decode(sound, samples)
            if n_decoded:
                yield samples[:n_decoded]
            if failed or n_decoded < len(samples):
                return


def _decode(sound: soundfile.SoundFile, samples: Decoded) -> tuple[int, bool]:
    """Fill an array with what comes next: how many samples that is, and whether decoding failed."""
    try:
        return len(sound.read(out=samples)), False
    except soundfile.LibsndfileError:
        # What was decoded before is there. It may be all: soundfile looks for the next sample, too, which may be the one that is not.
        decoded = ~np.isnan(samples[:, 0])
        return len(samples) if decoded.all() else int(decoded.argmin()), True
