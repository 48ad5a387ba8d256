"""WAV, RF64 and W64: where the samples lie, by the file's own chunks and by its size, and reading them from there.

    RIFF size WAVE | fmt_ size ... | LIST size ... | data size samples........ | LIST size ...
         |______________________________________________________________________________| the container's size, from behind itself
                                                  |____| the samples' size                | end of the file

The two sizes and the end of the file agree in a whole file. Where they do not, the file counts: samples are read from the start of the
data chunk to the end that is there.

- *Truncated*: the container and the samples go on after the end of the file. A copy that broke off, a full card.
- *No data size*: 0, all ones, or 2 GiB less next to nothing. A recorder writes that first and the true size when it closes the file; of
  one that lost its power, and of what came through a pipe, it stays.
- *Over-long size*: the samples go on after the container's end, which the file does reach: the size is wrong, nothing is missing.
- *Short size*: a second or more follows the announced end and is no chunk: a header that was not brought up to date, or samples of more
  than 4 GiB, whose size does not fit in 32 bits.

Read are 8 to 32 bit integers and 32 and 64 bit floats, in WAVE_FORMAT_EXTENSIBLE or without, little- or big-endian (RIFX). Chunks are
those of Microsoft's RIFF specification, EBU Tech 3306 (RF64, its `ds64` chunk holds the sizes of 64 bits), and Sony's W64 (chunks named
by 16 bytes, sizes of 64 bits that count their own header, multiples of 8 bytes).
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import islice
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray

from loxo.recordings.header import Damage, DamageKind, Header, HeaderError, PcmLayout
from loxo.recordings.samples import Samples
from loxo.timeline import ceil_div, seconds_at

__all__ = ["decode_pcm", "pcm_chunks", "read_wav"]

PCM, FLOAT, EXTENSIBLE = 0x0001, 0x0003, 0xFFFE
CODES = {(PCM, 1): "u1", (PCM, 2): "i2", (PCM, 3): "i3", (PCM, 4): "i4", (FLOAT, 4): "f4", (FLOAT, 8): "f8"}

ONES_32, ONES_64 = 2**32 - 1, 2**64 - 1
NEARLY_2_GIB = range(0x7FFFF000, 0x80000001)
"""Where a file has no such size, it is that of a program that does not know it yet: SoX says the first of these, arecord others."""
W64_RIFF = b"riff\x2e\x91\xcf\x11\xa5\xd6\x28\xdb\x04\xc1\x00\x00"
W64_WAVE = b"wave\xf3\xac\xd3\x11\x8c\xd1\x00\xc0\x4f\x8e\xdb\x8a"


@dataclass(frozen=True, slots=True)
class _Container:
    """What differs between the members of the family.

    Args:
        head: of a chunk: its name (four letters) and its size.
        own_size: bytes that a chunk's size counts for its own head.
        first: where the first chunk begins.
        end: where the container ends by its own account; 0 if it does not say.
        file_size: where it ends in fact.
    """

    format: str
    order: str
    head: struct.Struct
    own_size: int
    first: int
    end: int
    file_size: int

    def after(self, file: BinaryIO, end: int) -> int:
        """Where the chunk begins that follows one with this end."""
        if self.own_size:
            return ceil_div(end, 8) * 8
        # An odd chunk is followed by a zero; some writers leave it out, but no name begins with one.
        file.seek(end)
        return end + 1 if end % 2 and file.read(1) == b"\0" else end


def _container(file: BinaryIO, file_size: int) -> _Container | None:
    """The family's member that a file begins as; None if it is no such file."""
    file.seek(0)
    head = file.read(40)
    if head[:4] in (b"RIFF", b"RIFX", b"RF64", b"BW64") and head[8:12] == b"WAVE":
        order = ">" if head[:4] == b"RIFX" else "<"
        (size,) = struct.unpack(f"{order}I", head[4:8])
        end = 8 + size if 0 < size < ONES_32 else 0
        return _Container("RF64" if b"64" in head[:4] else "WAV", order, struct.Struct(f"{order}4sI"), 0, 12, end, file_size)
    if head.startswith(W64_RIFF) and head.endswith(W64_WAVE):
        (end,) = struct.unpack("<Q", head[16:24])
        return _Container("W64", "<", struct.Struct("<4s12xQ"), 24, 40, end, file_size)
    return None


def _chunks(file: BinaryIO, container: _Container, position: int) -> Iterator[tuple[bytes, int, int]]:
    """Name, first byte and size of the chunks from a position on, until the file ends or something is no chunk.

    The file stands at the chunk's first byte.
    """
    while position < container.file_size:
        file.seek(position)
        head = file.read(container.head.size)
        if len(head) < container.head.size:
            return
        name, size = container.head.unpack(head)
        start, size = position + len(head), max(0, size - container.own_size)
        if not all(32 <= letter < 127 for letter in name):
            return
        yield name, start, size
        position = container.after(file, start + size)


@dataclass(frozen=True, slots=True)
class _Encoding:
    """What the format chunk says; `code` is empty where samples are compressed."""

    rate: int
    channels: int
    code: str
    bytes_per_s: int


def _encoding(chunk: bytes, order: str) -> _Encoding:
    if len(chunk) < 16:
        raise HeaderError("its format chunk is missing or cut short")
    tag, channels, rate, bytes_per_s, frame_bytes, bits = struct.unpack(f"{order}HHIIHH", chunk[:16])
    if tag == EXTENSIBLE and len(chunk) >= 28:
        (tag,) = struct.unpack(f"{order}I", chunk[24:28])
    if channels == 0:
        raise HeaderError("its header says 0 channels")
    # Samples may be kept in more bytes than their bits need (20 bits in 4 bytes); the frame tells, if it is right.
    width = frame_bytes // channels if frame_bytes % channels == 0 and frame_bytes * 8 >= bits * channels else ceil_div(bits, 8)
    code = CODES.get((tag, width), "")
    return _Encoding(rate, channels, code, rate * channels * width if code else bytes_per_s)


def read_wav(file: BinaryIO, file_size: int) -> Header | None:
    """Header of an open WAV, RF64 or W64 file; None if it is none.

    Of compressed samples (A-law, ADPCM, ...) the header has no layout and no count.

    Raises:
        HeaderError: if the header does not lead to samples.
    """
    container = _container(file, file_size)
    if container is None:
        return None
    form = b""
    data_size_64 = ONES_64
    for name, start, size in _chunks(file, container, container.first):
        if name == b"fmt ":
            form = file.read(min(size, 40))
        elif name == b"ds64" and start + 16 <= min(start + size, file_size):
            _, data_size_64 = struct.unpack(f"{container.order}QQ", file.read(16))
        elif name == b"data":
            announced = data_size_64 if size == ONES_32 else size
            return _header(file, container, _encoding(form, container.order), _Data(start, announced, max(0, file_size - start)))
    raise HeaderError("it ends before its samples, or its header is broken")


@dataclass(frozen=True, slots=True)
class _Data:
    """Bytes of samples: where they begin, how many the header announces, and how many the file can hold."""

    start: int
    announced: int
    there: int


def _header(file: BinaryIO, container: _Container, encoding: _Encoding, data: _Data) -> Header:
    n_bytes, kind = _usable(file, container, encoding, data)
    damage = _damage(kind, encoding, data)
    if not encoding.code:
        return Header(container.format, encoding.rate, encoding.channels, 0, damage)
    layout = PcmLayout(data.start, encoding.code, container.order, encoding.channels)
    return Header(container.format, encoding.rate, encoding.channels, n_bytes // layout.frame_bytes, damage, layout)


def _usable(file: BinaryIO, container: _Container, encoding: _Encoding, data: _Data) -> tuple[int, DamageKind | None]:
    """Bytes of samples that are there, and what is wrong with what the header says of them."""
    if data.announced in (0, ONES_32, ONES_64):
        empty = data.there == 0 or (data.announced == 0 and _chunk_at(file, container, data.start))
        return (0, None) if empty else (data.there, "no-data-size")
    end = data.start + data.announced
    if end > container.file_size and data.announced in NEARLY_2_GIB:
        return data.there, "no-data-size"
    if end > container.file_size:
        wrong = end > container.end and 0 < container.end <= container.file_size
        return data.there, "over-long-size" if wrong else "truncated"
    follows = container.file_size - end >= max(1, encoding.bytes_per_s)
    if follows and not _chunk_at(file, container, container.after(file, end)):
        return data.there, "short-size"
    return data.announced, None


def _chunk_at(file: BinaryIO, container: _Container, position: int) -> bool:
    """Whether a chunk that the file has room for begins at a position."""
    return any(start + size <= container.file_size for _, start, size in islice(_chunks(file, container, position), 1))


def _damage(kind: DamageKind | None, encoding: _Encoding, data: _Data) -> tuple[Damage, ...]:
    if kind is None:
        return ()
    if encoding.bytes_per_s == 0:
        return (Damage(kind, f"its header announces {data.announced} bytes of samples; the file has {data.there}"),)
    there_s = seconds_at(data.there, encoding.bytes_per_s)
    if kind == "no-data-size":
        return (Damage(kind, f"its header does not say how long it is; the file has {there_s:.2f} s"),)
    announced_s = seconds_at(data.announced, encoding.bytes_per_s)
    return (Damage(kind, f"its header announces {announced_s:.2f} s; the file has {there_s:.2f} s"),)


def pcm_chunks(opened: Callable[[], BinaryIO], layout: PcmLayout, start: int, stop: int, size: int) -> Iterator[Samples]:
    """Samples `[start, stop)` as consecutive arrays of up to `size`; ends early where the file does."""
    with opened() as file:
        file.seek(layout.start + start * layout.frame_bytes)
        for at in range(start, stop, size):
            n_asked = min(size, stop - at)
            raw = np.frombuffer(file.read(n_asked * layout.frame_bytes), np.uint8)
            n_read = len(raw) // layout.frame_bytes
            if n_read:
                yield decode_pcm(raw[: n_read * layout.frame_bytes], layout)
            if n_read < n_asked:
                return


def decode_pcm(raw: NDArray[np.uint8], layout: PcmLayout) -> Samples:
    """Samples `(frame, channel)` from bytes: 16 bits as they are, others as float32 in [-1, 1)."""
    if layout.code == "i3":  # 24 bits are the upper ones of 32
        wide = np.zeros((len(raw) // 3, 4), np.uint8)
        wide[:, slice(1, 4) if layout.order == "<" else slice(0, 3)] = raw.reshape(-1, 3)
        values = wide.view(f"{layout.order}i4")
    else:
        values = raw.view(f"{layout.order}{layout.code}")
    values = values.reshape(-1, layout.channels)
    match layout.code:
        case "i2":
            return values.astype(np.int16, copy=False)
        case "u1":
            return (values.astype(np.float32) - np.float32(128)) / np.float32(128)
        case "i3" | "i4":
            scaled: NDArray[np.float32] = np.multiply(values, 2.0**-31, dtype=np.float32)
            return scaled
        case _:
            with np.errstate(over="ignore", invalid="ignore"):  # what does not fit is infinite, and accounted for as that
                return values.astype(np.float32)
