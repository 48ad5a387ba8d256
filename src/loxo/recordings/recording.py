"""`Recording`: a file whose header and name are read once, and its samples in parts or as a stream.

A `Recording` holds no open file, and no samples unless it was made of an array. Its methods open
the file and close it when they are done.
"""

from __future__ import annotations

import shutil
import stat
import tempfile
import weakref
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path
from typing import Any, BinaryIO
from zoneinfo import ZoneInfo

import numpy as np
from numpy.typing import NDArray

from loxo.recordings.decoding import decoded_chunks, read_decoded
from loxo.recordings.header import Damage, Header, HeaderError, PcmLayout, RecordingError
from loxo.recordings.names import FAMILIES, SUFFIXES, parse_name
from loxo.recordings.samples import Block, SampleCheck, Samples, resampled, to_mono
from loxo.recordings.wav import pcm_chunks, read_wav
from loxo.storage import files_below
from loxo.timeline import samples_at, seconds_at

__all__ = ["RATES", "Recording", "TemporaryCopy", "find_recordings", "from_header", "open_file"]

BLOCK_VALUES = 1 << 22
"""Largest number of values, of all channels together, read at a time: a minute of 8 channels at
8 kHz, 22 s of one channel at 192 kHz."""
RATES = range(100, 1_000_001)
"""Sampling rates in hertz that are accepted. The lowest just holds the fundamental of a rumble; the
highest is twice that of bat recorders. A header with any other rate is broken."""


class TemporaryCopy:
    """A file in a temporary folder, deleted together with this object or by `delete`.

    Args:
        name: of the file.
    """

    def __init__(self, name: str) -> None:
        folder = tempfile.mkdtemp(prefix="loxo-")
        self.path = Path(folder, name)
        self.delete = weakref.finalize(self, shutil.rmtree, folder, ignore_errors=True)


@dataclass(frozen=True, slots=True)
class Recording:
    """A sound file that can be used, or an array of samples.

    Args:
        path: path of the file; only its name if the file is not on a local disk.
        rate: the recording's own sampling rate in hertz.
        channels: number of channels.
        n_samples: samples per channel; for FLAC and MP3, the number that the header announces.
        format: found from the content: WAV, RF64, W64, FLAC, OGG, MP3, AIFF, another name that
            libsndfile uses, or `array`.
        site: site in the file name; None if the name has none.
        start_time: start with its time zone; None if the name has no time, or the zone is unknown.
        header_damage: damage that was found when the recording was opened.
        layout: position and type of samples that need no decoding; None for all others.
        opened: function that opens a remote file of uncompressed samples; None for local files.
        copy: temporary local copy of a compressed file that is not on a disk. It is deleted when
            the last recording that uses it is.
        samples: array `(sample, channel)`, if the recording was made from one.
    """

    path: Path
    rate: int
    channels: int
    n_samples: int
    format: str
    site: str | None = None
    start_time: datetime | None = None
    header_damage: tuple[Damage, ...] = ()
    layout: PcmLayout | None = None
    opened: Callable[[], BinaryIO] | None = field(default=None, compare=False, repr=False)
    copy: TemporaryCopy | None = field(default=None, compare=False, repr=False)
    samples: NDArray[Any] | None = field(default=None, compare=False, repr=False)

    @property
    def duration_s(self) -> float:
        """Length in seconds."""
        return seconds_at(self.n_samples, self.rate)

    def blocks(
        self,
        rate: int,
        block_s: float = 60.0,
        channel: int | None = None,
        check: SampleCheck | None = None,
    ) -> Iterator[Block]:
        """Read consecutive blocks `(sample,)` at a rate, in constant memory.

        A recording of `n` samples gives `ceil(n * rate / own rate)` samples, for any `block_s`.
        A recording with a lower rate than asked for is upsampled: its times are right, and the band
        above half its own rate is empty. If the file ends early, reading ends without an error.

        Args:
            rate: sampling rate of the blocks in hertz.
            block_s: longest part in seconds that is read at a time. Less is read of recordings with
                many channels or a high rate.
            channel: counted from 0; None takes the mean of all channels.
            check: collects damaged samples, a rate that is too low, and an early end.

        Raises:
            ValueError: if the rate or the length is not positive, or the channel does not exist.
            OSError: while reading, if the file is gone.
        """
        if rate <= 0:
            raise ValueError(f"rate {rate} Hz must be positive")
        return self.resample(self.own_blocks(block_s, channel, check), rate, check)

    def own_blocks(
        self, block_s: float = 60.0, channel: int | None = None, check: SampleCheck | None = None
    ) -> Iterator[Block]:
        """Read consecutive blocks `(sample,)` at the recording's own rate; see `blocks`.

        Raises:
            ValueError: if the length is not positive, or the channel does not exist.
            OSError: while reading, if the file is gone.
        """
        if block_s <= 0:
            raise ValueError(f"block of {block_s} s must be positive")
        self._check_channel(channel)
        size = max(1, samples_at(block_s, self.rate))
        return self._mono(size, channel, SampleCheck() if check is None else check)

    def resample(
        self, blocks: Iterator[Block], rate: int, check: SampleCheck | None = None
    ) -> Iterator[Block]:
        """Resample the blocks of `own_blocks` to another rate.

        Args:
            rate: in hertz.
            check: collects a warning if the recording's own rate is lower.
        """
        if check is not None and self.rate < rate:
            reason = f"it has {self.rate} samples a second, {rate} are asked for"
            check.note(Damage("low-rate", f"nothing above {self.rate / 2:g} Hz is in it: {reason}"))
        return blocks if rate == self.rate else resampled(blocks, self.rate, rate)

    def _mono(self, size: int, channel: int | None, check: SampleCheck) -> Iterator[Block]:
        """Read blocks of `size` samples, checked and mixed to one channel."""
        n_read = 0
        for samples in self._read_samples(0, self.n_samples, size):
            picked = _pick_channel(samples, channel)
            check.update(picked)
            n_read += len(picked)
            yield to_mono(picked)
        if n_read < self.n_samples:
            read_s = seconds_at(n_read, self.rate)
            announced = f"its header announces {self.duration_s:.2f} s"
            check.note(Damage("cut-off", f"{announced}; {read_s:.2f} s can be read"))

    def read(
        self, start: int, stop: int, channel: int | None = None, check: SampleCheck | None = None
    ) -> Block:
        """Read samples `[start, stop)` at the recording's own rate.

        The result is shorter if the file ends earlier than its header announces.

        Args:
            channel: counted from 0; None takes the mean of all.
            check: collects what is wrong with the samples.

        Raises:
            ValueError: if the samples or the channel lie outside the recording.
            OSError: if the file is gone, or too damaged to reach `start`.
        """
        if not 0 <= start <= stop <= self.n_samples:
            raise ValueError(
                f"{self.path}: samples {start} to {stop} are not within 0 to {self.n_samples}"
            )
        self._check_channel(channel)
        parts = []
        for samples in self._read_samples(start, stop, self.n_samples):
            picked = _pick_channel(samples, channel)
            if check is not None:
                check.update(picked)
            parts.append(to_mono(picked))
        return np.concatenate(parts) if parts else np.empty(0, np.float32)

    def _read_samples(self, start: int, stop: int, size: int) -> Iterator[Samples]:
        """Read samples `[start, stop)` in blocks `(sample, channel)` of at most `size`."""
        size = min(size, max(1, BLOCK_VALUES // self.channels))
        if self.samples is not None:
            return _array_chunks(self.samples, start, stop, size)
        if self.layout is None:
            return decoded_chunks(self.copy.path if self.copy else self.path, start, stop, size)
        return pcm_chunks(self.opened or self._open, self.layout, start, stop, size)

    def _open(self) -> BinaryIO:
        return self.path.open("rb")

    def _check_channel(self, channel: int | None) -> None:
        if channel is not None and not 0 <= channel < self.channels:
            raise ValueError(
                f"{self.path}: there is no channel {channel + 1}; "
                f"counted from 1, it has {self.channels}"
            )


def _pick_channel(samples: Samples, channel: int | None) -> Samples:
    return samples if channel is None else samples[:, channel : channel + 1]


def _array_chunks(samples: NDArray[Any], start: int, stop: int, size: int) -> Iterator[Samples]:
    """Read an array in blocks, as int16 or float32 like the samples of files."""
    integers = samples.dtype.kind == "i"
    for first in range(start, stop, size):
        chunk = samples[first : min(stop, first + size)]
        yield chunk.astype(np.int16) if integers else chunk.astype(np.float32)


def open_file(path: Path, timezone: ZoneInfo | None = None) -> Recording:
    """Open a file on a disk; see `open_recording`.

    Raises:
        RecordingError: if nothing in it can be used.
    """
    return from_header(path, _read_header(path), timezone)


def from_header(path: Path, header: Header, timezone: ZoneInfo | None) -> Recording:
    """Make a `Recording` from a header and a file name.

    Raises:
        RecordingError: if nothing in it can be used.
    """
    if header.rate not in RATES:
        raise RecordingError(
            f"{path}: its header says {header.rate} samples a second, {RATES[0]} to {RATES[-1]} "
            "are expected; it is broken, or not a recording"
        )
    if header.n_samples == 0:
        raise RecordingError(f"{path}: there are no samples in it; copy it again, or leave it out")
    site, start_time = parse_name(path.name, timezone)
    damage = (*header.damage, *_misnamed(path, header.format))
    return Recording(
        path,
        header.rate,
        header.channels,
        header.n_samples,
        header.format,
        site,
        start_time,
        damage,
        header.layout,
    )


def _read_header(path: Path) -> Header:
    """Read the header of a file on a disk.

    Raises:
        RecordingError: if it is not a file, cannot be opened or holds nothing.
    """
    try:
        status = path.stat()
        header = _read_wav(path, status.st_size) if stat.S_ISREG(status.st_mode) else None
    except HeaderError as error:
        raise RecordingError(f"{path}: {error}; copy it again, or leave it out") from error
    except OSError as error:
        raise RecordingError(
            f"{path}: cannot be opened ({error.strerror}); check that it exists and may be read"
        ) from error
    if stat.S_ISDIR(status.st_mode):
        raise RecordingError(
            f"{path}: a folder, not a recording; if it holds recordings, check that it may be read"
        )
    if not stat.S_ISREG(status.st_mode):
        raise RecordingError(
            f"{path}: not a file, but a device or a pipe; write its sound to a file first"
        )
    if status.st_size == 0:
        raise RecordingError(f"{path}: the file is empty; copy it again, or leave it out")
    if header is not None and header.layout is not None:
        return header
    decoded = read_decoded(path)
    if header is None:
        return decoded
    return replace(decoded, format=header.format, damage=(*header.damage, *decoded.damage))


def _read_wav(path: Path, file_size: int) -> Header | None:
    with path.open("rb") as file:
        return read_wav(file, file_size)


def _misnamed(path: Path, form: str) -> Iterator[Damage]:
    """Yield damage if the extension of a file belongs to another format."""
    suffix = path.suffix.lower()
    if suffix in FAMILIES and form not in FAMILIES[suffix]:
        yield Damage("misnamed", f"called {path.suffix}, but it is {form}")


def find_recordings(paths: Iterable[str | Path]) -> list[Path]:
    """List recordings: the given files, and the audio files in the given folders.

    A given file is listed whatever its extension. Folders are searched recursively for files with
    one of the `SUFFIXES`, sorted by path. Hidden files, such as the `._x.wav` of macOS, are
    ignored. Links to folders are followed, but no folder is entered twice, and each recording is
    listed once. A folder without read permission is listed itself, so that opening it raises an
    error with the reason.
    """
    found: dict[Path, Path] = {}
    entered: set[Path] = set()
    for path in map(Path, paths):
        recordings = sorted(files_below(path, SUFFIXES, entered)) if _is_folder(path) else [path]
        for recording in recordings:
            found.setdefault(recording.absolute(), recording)
    return list(found.values())


def _is_folder(path: Path) -> bool:
    try:
        return path.is_dir()
    except OSError:  # opening the path will fail, too, and give the reason
        return False
