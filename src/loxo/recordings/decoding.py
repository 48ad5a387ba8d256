"""Recordings that must be decoded: FLAC, OGG, MP3, AIFF, compressed WAV, and whatever else libsndfile recognises by its content.

Decoded samples are float32: reading them as 16 bits is no faster than the decoder, and a float can say that it was not decoded (NaN).
libsndfile opens cut files without a word, so each kind has its own tell-tale: AIFF has its size in front, the last page of an OGG file is
marked, FLAC and MP3 give the number of samples in front and fail, or end, while they are decoded. An MP3 without that number has as many
as its frames hold (mp3.py).

A damaged place in the middle of a FLAC file costs a block or two, since each block says where it belongs: the gap is filled with NaN, and
what follows has its right time. OGG and MP3 have no such numbers, or libsndfile does not use them: it stops there, or goes on and leaves
out what it could not decode, so that the rest comes too early by as much as is missing in the end.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

import numpy as np
import soundfile
from numpy.typing import NDArray

from loxo.recordings.header import Damage, Header, RecordingError
from loxo.recordings.mp3 import CountedMp3, counted_mp3
from loxo.timeline import seconds_at

__all__ = ["decoded_chunks", "read_decoded"]

Decoded = NDArray[np.float32]
Source = str | bytes | CountedMp3
"""What libsndfile is given to open."""

UNKNOWN_LENGTH = 2**62
"""libsndfile gives the largest count of all to a FLAC whose encoder was not able to write one."""
UNRECOGNISED = 1
"""libsndfile's number for a file that is none of its formats."""
COUNT_SIZE = 1 << 20
"""Samples decoded at a time to count them."""
MP3_LEAD = 40_000
"""Samples that are decoded in front of those that are asked for: more than any frame leans on."""
GAP_STEPS = tuple(4096 << doubled for doubled in range(10))
"""Samples from one place to the next at which decoding is taken up again, from one usual block of a FLAC file on: 8 minutes at 8 kHz."""
OGG_PAGE = 65_307
"""Bytes of the largest page of an OGG file."""
OGG_PAGE_HEADER = 27
"""Bytes in front of the sizes of a page's segments, the last of them being the number of segments (RFC 3533)."""
OGG_END = 0x04
"""The bit of a page's type, its byte 5, that marks a stream's last page."""


def read_decoded(path: Path) -> Header:
    """Header of a file by what libsndfile makes of it; 0 samples if none of them can be decoded.

    Raises:
        RecordingError: if it makes nothing of it.
    """
    with _source(path) as source, _open(source) as sound:
        form, rate, channels, n_samples = str(sound.format), int(sound.samplerate), int(sound.channels), int(sound.frames)
    damage: list[Damage] = []
    if n_samples >= UNKNOWN_LENGTH:
        n_samples = sum(map(len, decoded_chunks(path, 0, n_samples, COUNT_SIZE)))
        damage.append(
            Damage("no-data-size", f"its header does not say how long it is; {seconds_at(n_samples, max(1, rate)):.2f} s can be decoded")
        )
    elif next(decoded_chunks(path, 0, n_samples, 1), None) is None:
        n_samples = 0
    with path.open("rb") as file:
        if form == "AIFF":
            damage += _aiff_damage(file)
        elif form == "OGG":
            damage += _ogg_damage(file)
    return Header(form, rate, channels, n_samples, tuple(damage))


class _Sound(soundfile.SoundFile):  # type: ignore[misc]  # soundfile has no types
    """A file that is read on and on.

    Where files can be sought in, soundfile does so after each read, to where it is already; of MP3, a frame that leans on those before it
    comes out silent then.
    """

    def seekable(self) -> bool:
        return False


@contextmanager
def _source(path: Path) -> Iterator[Source]:
    with path.open("rb") as file:
        first = file.read(12)
        counted = counted_mp3(file)
    try:
        if counted is not None:
            yield counted
        elif sys.platform == "win32":
            yield os.fspath(path)
        else:  # a name may be bytes that are no text; soundfile would want to encode it
            yield os.fsencode(path)
    except soundfile.LibsndfileError as error:
        raise RecordingError(
            f"{path}: no sound that can be read (it begins with {first!r}); copy it again, or convert it to WAV or FLAC"
        ) from error


def _open(source: Source) -> _Sound:
    if isinstance(source, CountedMp3):
        source.seek(0)
    try:
        return _Sound(source)
    except TypeError as error:  # a name in .raw, of which soundfile wants to be told the format
        raise soundfile.LibsndfileError(UNRECOGNISED) from error


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
    if len(last) < OGG_PAGE_HEADER or not last[5] & OGG_END:
        yield Damage("truncated", "its last page is not marked as the end")
        return
    segments = last[OGG_PAGE_HEADER:][: last[OGG_PAGE_HEADER - 1]]
    if len(last) < OGG_PAGE_HEADER + last[OGG_PAGE_HEADER - 1] + sum(segments):
        yield Damage("truncated", "its last page is cut short")


def decoded_chunks(path: Path, start: int, stop: int, size: int) -> Iterator[Decoded]:
    """Samples `(frame, channel)` from `start` to `stop` as consecutive arrays of up to `size`.

    Gaps in a FLAC file are NaN; of others, and behind the last sample that can be decoded, there is nothing more.

    Raises:
        RecordingError: if the file is no sound, or neither `start` nor anything behind it can be reached.
    """
    with _source(path) as source:
        at, begin, sound = start, start, _opened_at(source, start)
        if sound is None:
            begin, sound = _opened_behind(source, start)
        if sound is None:
            raise RecordingError(f"{path}: sample {start} of {stop} cannot be reached; it is damaged, or it must be converted")
        while sound is not None:
            with sound:
                begin = min(stop, begin)
                yield from _gap(begin - at, sound.channels, size)
                n_decoded, failed = yield from _decoded(sound, stop - begin, size)
            at = begin + n_decoded
            begin, sound = _opened_behind(source, at) if failed and at < stop else (at, None)


def _opened_at(source: Source, position: int) -> _Sound | None:
    """A file that stands at a sample; None if that cannot be reached."""
    sound = _open(source)
    lead = min(position, MP3_LEAD) if sound.format == "MP3" else 0
    try:  # what cannot be sought in can be read from its beginning
        reached = position == 0 or sound.seek(position - lead) + len(sound.read(lead)) == position
    except soundfile.LibsndfileError:
        reached = False
    if reached:
        return sound
    sound.close()
    return None


def _opened_behind(source: Source, position: int) -> tuple[int, _Sound | None]:
    """A FLAC file that stands at a sample behind a damaged place, and which that is. About twice the damage is passed over at most."""
    with _open(source) as sound:
        end = sound.frames if sound.format == "FLAC" else 0
    for step in GAP_STEPS:
        position += step
        found = _opened_at(source, position) if position < end else None
        if found is not None:
            return position, found
    return position, None


def _gap(n_samples: int, channels: int, size: int) -> Iterator[Decoded]:
    for at in range(0, n_samples, size):
        yield np.full((min(size, n_samples - at), channels), np.nan, np.float32)


def _decoded(sound: _Sound, n_samples: int, size: int) -> Generator[Decoded, None, tuple[int, bool]]:
    """What comes next, in arrays of up to `size`, as far as it can be decoded: how many samples that is, and whether decoding failed."""
    for at in range(0, n_samples, size):
        samples = np.full((min(size, n_samples - at), sound.channels), np.nan, np.float32)
        n_decoded, failed = _decode(sound, samples)
        if n_decoded:
            yield samples[:n_decoded]
        if failed or n_decoded < len(samples):
            return at + n_decoded, failed
    return n_samples, False


def _decode(sound: _Sound, samples: Decoded) -> tuple[int, bool]:
    """Fill an array with what comes next: how many samples that is, and whether decoding failed."""
    try:
        return len(sound.read(out=samples)), False
    except soundfile.LibsndfileError:
        # What was decoded before is there, and may be all of it.
        decoded = ~np.isnan(samples[:, 0])
        return len(samples) if decoded.all() else int(decoded.argmin()), True
