"""A recording: opened once for what its header and its name say, read as often as needed, a part or a stream.

A `Recording` holds no open file and no samples; `blocks` and `read` open the file and close it when they are done.
"""

from __future__ import annotations

import stat
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path
from typing import BinaryIO
from zoneinfo import ZoneInfo

import numpy as np

from loxo.recordings.decoding import decoded_chunks, read_decoded
from loxo.recordings.header import Damage, Header, HeaderError, PcmLayout, RecordingError
from loxo.recordings.names import parse_name
from loxo.recordings.samples import Block, SampleCheck, Samples, resampled, to_mono
from loxo.recordings.wav import pcm_chunks, read_wav
from loxo.storage import files_below
from loxo.timeline import samples_at, seconds_at

__all__ = ["SUFFIXES", "Recording", "find_recordings", "from_header", "open_recording"]

WAV_FAMILY = frozenset({"WAV", "RF64"})
"""The same, but for the size of its sizes: both are found under both names."""
FORMATS = {
    ".wav": WAV_FAMILY,
    ".rf64": WAV_FAMILY,
    ".w64": frozenset({"W64"}),
    ".flac": frozenset({"FLAC"}),
    ".ogg": frozenset({"OGG"}),
    ".mp3": frozenset({"MP3"}),
    ".aif": frozenset({"AIFF"}),
    ".aiff": frozenset({"AIFF"}),
}
SUFFIXES = tuple(FORMATS)
"""Of the files in a folder that are taken for recordings, in upper or lower case."""

BLOCK_VALUES = 1 << 22
"""Most values, of all channels together, that are read at a time: a minute of 8 channels at 8 kHz, 22 s of one at 192 kHz."""
RATES = range(100, 1_000_001)
"""From one that just holds the fundamental of a rumble to twice what bat recorders reach; another figure is a broken header."""


@dataclass(frozen=True, slots=True)
class Recording:
    """A sound file that can be used.

    Args:
        rate: its own, in samples a second.
        n_samples: of each channel: what is there, or, of FLAC and MP3, what the header announces.
        format: of the content: WAV, RF64, W64, FLAC, OGG, MP3, AIFF, or another of libsndfile's names.
        site: None if the name does not say it.
        start_time: zoned; None if the name does not say it, or not of which zone it is.
        header_damage: what was wrong when it was opened.
        layout: of samples that are read as they are; None if they must be decoded.
        opened: gives the bytes of a recording with a layout that is not on the disk; `path` is its name then.
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

    @property
    def duration_s(self) -> float:
        return seconds_at(self.n_samples, self.rate)

    def blocks(
        self,
        rate: int,
        block_s: float = 60.0,
        channel: int | None = None,
        check: SampleCheck | None = None,
        timed: Callable[[str, Iterator[Block]], Iterator[Block]] | None = None,
    ) -> Iterator[Block]:
        """Consecutive blocks `(sample,)` at a rate, in the same memory however long the recording is.

        A recording of `n` samples gives `ceil(n * rate / own rate)`, whatever the blocks. One of a lower rate than asked for is brought up
        to it: its times are right, and the band above half its own rate is empty. Reading ends without an error where the file does.

        Args:
            block_s: most that is read at a time; less where there are many channels or samples a second.
            channel: from 0; None takes the mean of all.
            check: is told of the samples, of a rate that is too low, and of an end that comes too early, once that is reached.
            timed: passes blocks on and takes their time, of the stages `read` and `resample`.

        Raises:
            ValueError: if the rate or the length is not positive, or the channel is not there.
            OSError: while reading, if the file is gone.
        """
        if rate <= 0 or block_s <= 0:
            raise ValueError(f"rate {rate} Hz and block of {block_s} s must be positive")
        self._check_channel(channel)
        account = SampleCheck() if check is None else check
        if self.rate < rate:
            empty = f"nothing above {self.rate / 2:g} Hz is in it: it has {self.rate} samples a second, {rate} are asked for"
            account.note(Damage("low-rate", empty))
        size = max(1, samples_at(block_s, self.rate))
        mono = self._mono(size, channel, account)
        if timed is not None:
            mono = timed("read", mono)
        if rate == self.rate:
            return mono
        blocks = resampled(mono, self.rate, rate)
        return blocks if timed is None else timed("resample", blocks)

    def _mono(self, size: int, channel: int | None, account: SampleCheck) -> Iterator[Block]:
        n_read = 0
        for samples in self._samples(0, self.n_samples, size):
            picked = _picked(samples, channel)
            account.update(picked)
            n_read += len(picked)
            yield to_mono(picked)
        if n_read < self.n_samples:
            read_s = seconds_at(n_read, self.rate)
            account.note(Damage("cut-off", f"its header announces {self.duration_s:.2f} s; {read_s:.2f} s can be read"))

    def read(self, start: int, stop: int, channel: int | None = None, check: SampleCheck | None = None) -> Block:
        """Samples `[start, stop)` at the recording's own rate; fewer if the file ends before what its header announces.

        Args:
            channel: from 0; None takes the mean of all.
            check: is told of the samples.

        Raises:
            ValueError: if the samples or the channel lie outside the recording.
            OSError: if the file is gone, or too damaged to reach `start`.
        """
        if not 0 <= start <= stop <= self.n_samples:
            raise ValueError(f"{self.path}: samples {start} to {stop} are not within 0 to {self.n_samples}")
        self._check_channel(channel)
        parts = []
        for samples in self._samples(start, stop, self.n_samples):
            picked = _picked(samples, channel)
            if check is not None:
                check.update(picked)
            parts.append(to_mono(picked))
        return np.concatenate(parts) if parts else np.empty(0, np.float32)

    def _samples(self, start: int, stop: int, size: int) -> Iterator[Samples]:
        size = min(size, max(1, BLOCK_VALUES // self.channels))
        if self.layout is None:
            return decoded_chunks(self.path, start, stop, size)
        return pcm_chunks(self.opened or self._open, self.layout, start, stop, size)

    def _open(self) -> BinaryIO:
        return self.path.open("rb")

    def _check_channel(self, channel: int | None) -> None:
        if channel is not None and not 0 <= channel < self.channels:
            raise ValueError(f"{self.path}: there is no channel {channel + 1}; counted from 1, it has {self.channels}")


def _picked(samples: Samples, channel: int | None) -> Samples:
    return samples if channel is None else samples[:, channel : channel + 1]


def open_recording(path: Path, timezone: ZoneInfo | None = None) -> Recording:
    """Open a recording for what its header, its size and its name say.

    Args:
        timezone: of the time in the name; without it there is no start time, unless the name says UTC itself.

    Raises:
        RecordingError: if nothing in it can be used.
    """
    return from_header(path, _read_header(path), timezone)


def from_header(path: Path, header: Header, timezone: ZoneInfo | None) -> Recording:
    """What a header and a name say together.

    Raises:
        RecordingError: if nothing in it can be used.
    """
    if header.rate not in RATES:
        raise RecordingError(
            f"{path}: its header says {header.rate} samples a second, {RATES[0]} to {RATES[-1]} are expected; it is broken, or no recording"
        )
    if header.n_samples == 0:
        raise RecordingError(f"{path}: there are no samples in it; copy it again, or leave it out")
    site, start_time = parse_name(path.name, timezone)
    damage = (*header.damage, *_misnamed(path, header.format))
    return Recording(path, header.rate, header.channels, header.n_samples, header.format, site, start_time, damage, header.layout)


def _read_header(path: Path) -> Header:
    try:
        status = path.stat()
        header = _read_wav(path, status.st_size) if stat.S_ISREG(status.st_mode) else None
    except HeaderError as error:
        raise RecordingError(f"{path}: {error}; copy it again, or leave it out") from error
    except OSError as error:
        raise RecordingError(f"{path}: cannot be opened ({error.strerror}); see that it is there and may be read") from error
    if stat.S_ISDIR(status.st_mode):
        raise RecordingError(f"{path}: a folder, not a recording; if there are recordings in it, see that it may be read")
    if not stat.S_ISREG(status.st_mode):
        raise RecordingError(f"{path}: not a file, but a device or a pipe; write its sound to a file first")
    if status.st_size == 0:
        raise RecordingError(f"{path}: the file is empty; copy it again, or leave it out")
    if header is not None and header.layout is not None:
        return header
    decoded = read_decoded(path)
    return decoded if header is None else replace(decoded, format=header.format, damage=(*header.damage, *decoded.damage))


def _read_wav(path: Path, file_size: int) -> Header | None:
    with path.open("rb") as file:
        return read_wav(file, file_size)


def _misnamed(path: Path, form: str) -> Iterator[Damage]:
    suffix = path.suffix.lower()
    if suffix in FORMATS and form not in FORMATS[suffix]:
        yield Damage("misnamed", f"called {path.suffix}, but it is {form}")


def find_recordings(paths: Sequence[Path]) -> list[Path]:
    """Recordings in the order of the paths: files as they are given, whatever they are called, and those of folders, sorted.

    Of folders, and the folders in them, files with one of the `SUFFIXES` are taken, but nothing hidden, such as the `._x.wav` of macOS.
    Links to folders are followed, but no folder is entered twice. A recording that is named twice comes once. A folder that may not be
    read stands for itself: opening it says so.
    """
    found: dict[Path, Path] = {}
    entered: set[Path] = set()
    for path in paths:
        for recording in sorted(files_below(path, SUFFIXES, entered)) if _is_folder(path) else [path]:
            found.setdefault(recording.absolute(), recording)
    return list(found.values())


def _is_folder(path: Path) -> bool:
    try:
        return path.is_dir()
    except OSError:  # whatever hinders the look hinders opening it, which says so
        return False
