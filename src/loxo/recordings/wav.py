"""Find and read the samples of WAV, RF64 and W64 files by their chunks and their size.

    RIFF size WAVE | fmt_ size ... | LIST size ... | data size samples........ | LIST size ...
         |______________________________________________________________________________|
              size of the container
                                                   |______________|          end of the file
                                                     size of the samples

In an intact file both sizes agree with the length of the file. Where they do not, the file is
believed: samples are read from the start of the data chunk to the end of the file.

- *Truncated*: the container and the samples would end after the end of the file: an interrupted
  copy, a full card.
- *No data size*: 0, all ones, or almost 2 GiB. A recorder writes such a size first and the true one
  when it closes the file. It stays if the recorder loses power, and in files from a pipe.
- *Over-long size*: the samples would end after the end of the container, which the file does reach:
  the size is wrong, nothing is missing.
- *Short size*: at least a second follows the announced end and is no chunk: the header was not
  updated, or the samples exceed 4 GiB, whose size does not fit in 32 bits.

Supported are integers of 8 to 32 bits and floats of 32 and 64 bits, with or without
WAVE_FORMAT_EXTENSIBLE, little- or big-endian (RIFX). Chunks follow Microsoft's RIFF specification,
EBU Tech 3306 (RF64; its `ds64` chunk holds sizes of 64 bits) and Sony's W64 (16-byte chunk names,
sizes of 64 bits that include the chunk header, multiples of 8 bytes).
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
CODES = {
    (PCM, 1): "u1",
    (PCM, 2): "i2",
    (PCM, 3): "i3",
    (PCM, 4): "i4",
    (FLOAT, 4): "f4",
    (FLOAT, 8): "f8",
}

ONES_32, ONES_64 = 2**32 - 1, 2**64 - 1
NEARLY_2_GIB = range(0x7FFFF000, 0x80000001)
"""Sizes that stand for "not known yet": SoX writes the first of these, arecord others."""
W64_RIFF = b"riff\x2e\x91\xcf\x11\xa5\xd6\x28\xdb\x04\xc1\x00\x00"
W64_WAVE = b"wave\xf3\xac\xd3\x11\x8c\xd1\x00\xc0\x4f\x8e\xdb\x8a"


@dataclass(frozen=True, slots=True)
class _Container:
    """What differs between WAV, RF64 and W64.

    Args:
        format: name of the format.
        order: byte order, `<` or `>`.
        head: header of a chunk: name (four letters) and size.
        own_size: bytes of the chunk header that a chunk's size includes.
        first: first byte of the first chunk.
        end: end of the container by its own header; 0 if the header does not give it.
        file_size: bytes of the file.
    """

    format: str
    order: str
    head: struct.Struct
    own_size: int
    first: int
    end: int
    file_size: int

    def after(self, file: BinaryIO, end: int) -> int:
        """Return the first byte of the chunk after one that ends here."""
        if self.own_size:
            return ceil_div(end, 8) * 8
        # A zero byte follows a chunk of odd length. Some writers omit it; no name begins with zero.
        file.seek(end)
        return end + 1 if end % 2 and file.read(1) == b"\0" else end


def _container(file: BinaryIO, file_size: int) -> _Container | None:
    """Recognise the container of a file; None for any other file."""
    file.seek(0)
    head = file.read(40)
    if head[:4] in (b"RIFF", b"RIFX", b"RF64", b"BW64") and head[8:12] == b"WAVE":
        order = ">" if head[:4] == b"RIFX" else "<"
        (size,) = struct.unpack(f"{order}I", head[4:8])
        end = 8 + size if 0 < size < ONES_32 else 0
        return _Container(
            "RF64" if b"64" in head[:4] else "WAV",
            order,
            struct.Struct(f"{order}4sI"),
            0,
            12,
            end,
            file_size,
        )
    if head.startswith(W64_RIFF) and head.endswith(W64_WAVE):
        (end,) = struct.unpack("<Q", head[16:24])
        return _Container("W64", "<", struct.Struct("<4s12xQ"), 24, 40, end, file_size)
    return None


def _chunks(
    file: BinaryIO, container: _Container, position: int
) -> Iterator[tuple[bytes, int, int]]:
    """Yield name, first byte and size of each chunk from a position on.

    Ends with the file, or at the first bytes that are no chunk. While a chunk is yielded, the file
    position is its first byte.
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
    """Content of the format chunk; `code` is empty for compressed samples."""

    rate: int
    channels: int
    code: str
    bytes_per_s: int


def _encoding(chunk: bytes, order: str) -> _Encoding:
    """Read the content of the format chunk."""
    if len(chunk) < 16:
        raise HeaderError("its format chunk is missing or cut short")
    tag, channels, rate, bytes_per_s, frame_bytes, bits = struct.unpack(
        f"{order}HHIIHH", chunk[:16]
    )
    if tag == EXTENSIBLE and len(chunk) >= 28:
        (tag,) = struct.unpack(f"{order}I", chunk[24:28])
    if channels == 0:
        raise HeaderError("its header says 0 channels")
    # Samples may occupy more bytes than their bits need (20 bits in 4 bytes). So the width follows
    # from the frame size where that is plausible.
    width = (
        frame_bytes // channels
        if frame_bytes % channels == 0 and frame_bytes * 8 >= bits * channels
        else ceil_div(bits, 8)
    )
    code = CODES.get((tag, width), "")
    return _Encoding(rate, channels, code, rate * channels * width if code else bytes_per_s)


def read_wav(file: BinaryIO, file_size: int) -> Header | None:
    """Read the header of an open WAV, RF64 or W64 file; None for any other file.

    For compressed samples (A-law, ADPCM, ...) the header has no layout and 0 samples.

    Raises:
        HeaderError: if no samples can be found.
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
            return _header(
                file,
                container,
                _encoding(form, container.order),
                _Data(start, announced, max(0, file_size - start)),
            )
    raise HeaderError("it ends before its samples, or its header is broken")


@dataclass(frozen=True, slots=True)
class _Data:
    """The data chunk: first byte, bytes that the header announces, bytes that the file has."""

    start: int
    announced: int
    there: int


def _header(file: BinaryIO, container: _Container, encoding: _Encoding, data: _Data) -> Header:
    n_bytes, kind = _usable(file, container, encoding, data)
    damage = _damage(kind, encoding, data)
    if not encoding.code:
        return Header(container.format, encoding.rate, encoding.channels, 0, damage)
    layout = PcmLayout(data.start, encoding.code, container.order, encoding.channels)
    return Header(
        container.format,
        encoding.rate,
        encoding.channels,
        n_bytes // layout.frame_bytes,
        damage,
        layout,
    )


def _usable(
    file: BinaryIO, container: _Container, encoding: _Encoding, data: _Data
) -> tuple[int, DamageKind | None]:
    """Return the number of bytes of samples, and what is wrong with the announced size."""
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
    """Tell whether a chunk that fits into the file begins at a position."""
    return any(
        start + size <= container.file_size
        for _, start, size in islice(_chunks(file, container, position), 1)
    )


def _damage(kind: DamageKind | None, encoding: _Encoding, data: _Data) -> tuple[Damage, ...]:
    if kind is None:
        return ()
    if encoding.bytes_per_s == 0:
        return (
            Damage(
                kind,
                f"its header announces {data.announced} bytes of samples; "
                f"the file has {data.there}",
            ),
        )
    there_s = seconds_at(data.there, encoding.bytes_per_s)
    if kind == "no-data-size":
        return (Damage(kind, f"its header does not give its length; the file has {there_s:.2f} s"),)
    announced_s = seconds_at(data.announced, encoding.bytes_per_s)
    return (
        Damage(kind, f"its header announces {announced_s:.2f} s; the file has {there_s:.2f} s"),
    )


def pcm_chunks(
    opened: Callable[[], BinaryIO], layout: PcmLayout, start: int, stop: int, size: int
) -> Iterator[Samples]:
    """Read samples `[start, stop)` as arrays of up to `size`; end where the file ends."""
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
    """Decode bytes to samples `(frame, channel)`: int16 from 16 bits, else float32 in [-1, 1)."""
    if layout.code == "i3":  # 24 bits become the upper ones of 32
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
            with np.errstate(
                over="ignore", invalid="ignore"
            ):  # values beyond float32 become infinite, and SampleCheck counts them
                return values.astype(np.float32)
