"""Count the frames of MP3 files that do not give their length.

An encoder that can seek writes the number of frames into the first one (`Xing`, `Info` or `VBRI`).
Recorders and pipes do not. libsndfile then estimates the length from the size of the file and the
bit rate of the first frame, and reads no further. With a variable bit rate the estimate may be half
of the recording; with a constant one it is a frame too long. So the frames are counted here, by
their headers. libsndfile is then given the file with an additional first frame that holds the
count.

Frames of layer III (ISO/IEC 11172-3 and 13818-3) begin with eleven ones. The next bits are the MPEG
version and the layer. The third byte holds the bit rate, the sampling rate and the padding bit,
which decide the length of the frame.
"""

from __future__ import annotations

import mmap
import os
from dataclasses import dataclass
from typing import BinaryIO

__all__ = ["CountedMp3", "counted_mp3"]

VERSION_1, VERSION_2, VERSION_25 = 3, 2, 0
KILOBITS_1 = (32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320)
KILOBITS_2 = (8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160)
RATES = {
    VERSION_1: (44100, 48000, 32000),
    VERSION_2: (22050, 24000, 16000),
    VERSION_25: (11025, 12000, 8000),
}
LAYER_3 = 1
MONO = 3
COUNTS = (b"Xing", b"Info", b"VBRI")
NO_CHECKSUM = 0x01
ROOMY = 9
"""Index of a bit rate whose frames have room for the count at every sampling rate."""


class CountedMp3:
    """A file-like object for libsndfile: a frame with the count, then the frames of the file."""

    def __init__(self, first: bytes, frames: mmap.mmap, start: int) -> None:
        self.first = first
        self.frames = frames
        self.skipped = start - len(first)
        self.position = 0

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        base = {
            os.SEEK_SET: 0,
            os.SEEK_CUR: self.position,
            os.SEEK_END: len(self.frames) - self.skipped,
        }[whence]
        self.position = base + offset
        return self.position

    def tell(self) -> int:
        return self.position

    def read(self, n_bytes: int) -> bytes:
        found = self.first[self.position : self.position + n_bytes]
        if len(found) < n_bytes:
            at = self.position + len(found) + self.skipped
            found += self.frames[at : at + n_bytes - len(found)]
        self.position += len(found)
        return found


@dataclass(frozen=True, slots=True)
class _Header:
    """The four header bytes of a frame of layer III."""

    raw: bytes
    version: int
    rate_index: int

    @property
    def side_bytes(self) -> int:
        """Bytes of side information between the header and the count."""
        mono = self.raw[3] >> 6 == MONO
        return (17 if mono else 32) if self.version == VERSION_1 else (9 if mono else 17)

    def lengths(self) -> dict[int, int]:
        """Length of a frame in bytes, by its third byte, for frames at this sampling rate."""
        bytes_a_kilobit, kilobits = (
            (144_000, KILOBITS_1) if self.version == VERSION_1 else (72_000, KILOBITS_2)
        )
        rate = RATES[self.version][self.rate_index]
        return {
            index << 4 | self.rate_index << 2 | padding << 1 | private: bytes_a_kilobit
            * speed
            // rate
            + padding
            for index, speed in enumerate(kilobits, start=1)
            for padding in (0, 1)
            for private in (0, 1)
        }


def counted_mp3(file: BinaryIO) -> CountedMp3 | None:
    """Put a frame with the count in front of an open file.

    Returns:
        A file for libsndfile; None if the file is not MP3 of layer III, or gives its own length.
    """
    start = _after_tag(file)
    file.seek(start)
    head = file.read(4096)
    header = _header(head[:4])
    length = header.lengths().get(header.raw[2], 0) if header is not None else 0
    if header is None or length == 0 or any(mark in head[:length] for mark in COUNTS):
        return None
    frames = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
    return CountedMp3(_counting_frame(header, _count(frames, start, header)), frames, start)


def _after_tag(file: BinaryIO) -> int:
    """Return the first byte after an ID3 tag, 0 without one.

    The tag gives its size in four bytes of 7 bits each, without its own header of ten bytes.
    """
    file.seek(0)
    head = file.read(10)
    if len(head) < 10 or not head.startswith(b"ID3"):
        return 0
    return 10 + (head[6] << 21 | head[7] << 14 | head[8] << 7 | head[9])


def _header(raw: bytes) -> _Header | None:
    if len(raw) < 4 or raw[0] != 0xFF or raw[1] & 0xE0 != 0xE0 or raw[1] >> 1 & 3 != LAYER_3:
        return None
    version, rate_index = raw[1] >> 3 & 3, raw[2] >> 2 & 3
    return _Header(raw, version, rate_index) if version in RATES and rate_index < 3 else None


def _count(data: mmap.mmap, start: int, header: _Header) -> int:
    """Count whole frames of one sampling rate; bytes between frames are ignored."""
    lengths, sync = header.lengths(), header.raw[:2]
    end, n_frames, at = len(data), 0, start
    while 0 <= at < end - 4:
        length = lengths.get(data[at + 2], 0) if data[at : at + 2] == sync else 0
        if length:
            n_frames += at + length <= end
            at += length
        else:
            at = data.find(sync, at + 1)
    return n_frames


def _counting_frame(header: _Header, n_frames: int) -> bytes:
    """Make a silent frame that holds the number of frames after it."""
    third = ROOMY << 4 | header.rate_index << 2
    head = bytes([header.raw[0], header.raw[1] | NO_CHECKSUM, third, header.raw[3]]) + bytes(
        header.side_bytes
    )
    frame = head + b"Xing" + (1).to_bytes(4, "big") + n_frames.to_bytes(4, "big")
    return frame.ljust(header.lengths()[third], b"\0")
