"""Decode FLAC, OGG, MP3, AIFF, compressed WAV, and all other formats of libsndfile.

Decoded samples are float32: 16 bits would not be faster, and a float can mark a sample that was not
decoded (NaN).

libsndfile opens truncated files without an error, so truncation is detected for each format in its
own way. AIFF gives its size in the header. The last page of an OGG file is marked. FLAC and MP3
give the number of samples in the header, and decoding fails or ends before that number. An MP3
without that number has as many samples as its frames hold (mp3.py).

Damage in the middle of a FLAC file costs a block or two, because each block holds its position: the
gap is filled with NaN, and later samples keep their times. In OGG and MP3 files libsndfile has no
such positions. It either stops at the damage or skips it. After a skip, all later samples come too
early by the length of the missing part.
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
"""What libsndfile can open."""

UNKNOWN_LENGTH = 2**62
"""Counts from here on mean "unknown": libsndfile gives the largest integer to a FLAC file whose
encoder could not write one."""
UNRECOGNISED = 1
"""libsndfile's error number for an unknown format."""
COUNT_SIZE = 1 << 20
"""Samples decoded at a time to count them."""
MP3_LEAD = 40_000
"""Samples decoded before the requested ones; no MP3 frame depends on more."""
GAP_STEPS = tuple(4096 << doubled for doubled in range(10))
"""Steps in samples at which decoding is tried again after damage. The first is a usual FLAC block,
all together are 8 minutes at 8 kHz."""
OGG_PAGE = 65_307
"""Bytes of the largest page of an OGG file."""
OGG_PAGE_HEADER = 27
"""Bytes before the segment table of a page; the last one is the number of segments (RFC 3533)."""
OGG_END = 0x04
"""Bit of a page's type (byte 5) that marks the last page of a stream."""


def read_decoded(path: Path) -> Header:
    """Read a header with libsndfile; it has 0 samples if none can be decoded.

    Raises:
        RecordingError: if libsndfile does not recognise the file.
    """
    with _source(path) as source, _open(source) as sound:
        form, rate, channels, n_samples = (
            str(sound.format),
            int(sound.samplerate),
            int(sound.channels),
            int(sound.frames),
        )
    damage: list[Damage] = []
    if n_samples >= UNKNOWN_LENGTH:
        n_samples = sum(map(len, decoded_chunks(path, 0, n_samples, COUNT_SIZE)))
        damage.append(
            Damage(
                "no-data-size",
                f"its header does not give its length; "
                f"{seconds_at(n_samples, max(1, rate)):.2f} s can be decoded",
            )
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
    """A file that is only read forward.

    soundfile seeks to the current position after each read of a seekable file. In MP3 a frame that
    depends on earlier ones is then decoded as silence.
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
        else:  # a name may be bytes that are not valid text, which soundfile would try to encode
            yield os.fsencode(path)
    except soundfile.LibsndfileError as error:
        raise RecordingError(
            f"{path}: not a readable audio file (it begins with {first!r}); copy it again, or "
            "convert it to WAV or FLAC"
        ) from error


def _open(source: Source) -> _Sound:
    if isinstance(source, CountedMp3):
        source.seek(0)
    try:
        return _Sound(source)
    except TypeError as error:  # soundfile expects the format of names in .raw
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
    """Decode samples `[start, stop)` as consecutive arrays `(frame, channel)` of up to `size`.

    Gaps in a FLAC file are NaN. Other formats end at damage, and every format ends after the last
    sample that can be decoded.

    Raises:
        RecordingError: if the file is not audio, or neither `start` nor any later sample can be
            reached.
    """
    with _source(path) as source:
        at, begin, sound = start, start, _opened_at(source, start)
        if sound is None:
            begin, sound = _opened_after(source, start)
        if sound is None:
            raise RecordingError(
                f"{path}: sample {start} of {stop} cannot be reached; the file is damaged, or "
                "must be converted"
            )
        while sound is not None:
            with sound:
                begin = min(stop, begin)
                yield from _gap(begin - at, sound.channels, size)
                n_decoded, failed = yield from _decoded(sound, stop - begin, size)
            at = begin + n_decoded
            begin, sound = _opened_after(source, at) if failed and at < stop else (at, None)


def _opened_at(source: Source, position: int) -> _Sound | None:
    """Open a file and go to a sample; None if it cannot be reached."""
    sound = _open(source)
    lead = min(position, MP3_LEAD) if sound.format == "MP3" else 0
    try:  # a file that is not seekable can be read from its beginning
        reached = position == 0 or sound.seek(position - lead) + len(sound.read(lead)) == position
    except soundfile.LibsndfileError:
        reached = False
    if reached:
        return sound
    sound.close()
    return None


def _opened_after(source: Source, position: int) -> tuple[int, _Sound | None]:
    """Open a FLAC file at the first reachable sample after damage; also return that sample.

    At most about twice the length of the damage is skipped.
    """
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


def _decoded(
    sound: _Sound, n_samples: int, size: int
) -> Generator[Decoded, None, tuple[int, bool]]:
    """Decode the next samples in arrays of up to `size`, as far as possible.

    Returns:
        the number of decoded samples, and whether decoding failed.
    """
    for at in range(0, n_samples, size):
        samples = np.full((min(size, n_samples - at), sound.channels), np.nan, np.float32)
        n_decoded, failed = _decode(sound, samples)
        if n_decoded:
            yield samples[:n_decoded]
        if failed or n_decoded < len(samples):
            return at + n_decoded, failed
    return n_samples, False


def _decode(sound: _Sound, samples: Decoded) -> tuple[int, bool]:
    """Decode into an array; return the number of samples, and whether decoding failed."""
    try:
        return len(sound.read(out=samples)), False
    except soundfile.LibsndfileError:
        # The array holds what was decoded before the failure, which may be everything.
        decoded = ~np.isnan(samples[:, 0])
        return len(samples) if decoded.all() else int(decoded.argmin()), True
