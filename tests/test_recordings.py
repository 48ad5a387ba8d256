"""Whatever a recorder left is read as far as it goes, and the report says what was wrong; samples
keep their times at every rate."""

from __future__ import annotations

import io
import os
import re
import struct
import tracemalloc
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import pytest
import soundfile
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from loxo.recordings import (
    SUFFIXES,
    Damage,
    Recording,
    RecordingError,
    SampleCheck,
    find_recordings,
    open_recording,
    parse_name,
)
from loxo.recordings.wav import read_wav

SHARED = Path(__file__).parents[2] / "shared"
BRAZZAVILLE = ZoneInfo("Africa/Brazzaville")
RATE = 8000
N = 2 * RATE
NOISE = (np.random.default_rng(0).standard_normal(N) * 3000).astype(np.int16)
AS_FLOAT = NOISE.astype(np.float32) / 32768

Block = NDArray[np.float32]


# ---- files, made byte by byte


def chunk(name: bytes, body: bytes, size: int | None = None, order: str = "<") -> bytes:
    """A chunk, whatever it says of its size."""
    return (
        name
        + struct.pack(f"{order}I", len(body) if size is None else size)
        + body
        + b"\0" * (len(body) % 2)
    )


def form(
    *, rate: int = RATE, channels: int = 1, width: int = 2, tag: int = 1, order: str = "<"
) -> bytes:
    frame = channels * width
    fields = struct.pack(
        f"{order}HHIIHH", tag, channels, rate, min(rate * frame, 2**32 - 1), frame, 8 * width
    )
    return chunk(b"fmt ", fields, order=order)


def extensible(width: int, valid_bits: int | None = None) -> bytes:
    bits = 8 * width
    plain = struct.pack("<HHIIHH", 0xFFFE, 1, RATE, RATE * width, width, bits)
    guid = struct.pack("<I", 1) + bytes.fromhex("0000 1000 8000 00aa00389b71")
    return chunk(
        b"fmt ",
        plain + struct.pack("<HHI", 22, bits if valid_bits is None else valid_bits, 0) + guid,
    )


def wav(*chunks: bytes, size: int | None = None, magic: bytes = b"RIFF", order: str = "<") -> bytes:
    body = b"WAVE" + b"".join(chunks)
    return magic + struct.pack(f"{order}I", len(body) if size is None else size) + body


def data(samples: NDArray[np.int16] = NOISE, size: int | None = None) -> bytes:
    return chunk(b"data", samples.astype("<i2").tobytes(), size)


def rf64(samples: NDArray[np.int16] = NOISE) -> bytes:
    n_bytes = 2 * len(samples)
    sizes = chunk(b"ds64", struct.pack("<QQQI", 72 + n_bytes, n_bytes, len(samples), 0))
    return wav(sizes, form(), data(samples, 2**32 - 1), size=2**32 - 1, magic=b"RF64")


def w64_without_size() -> bytes:
    """As a recorder leaves it that lost its power: the 8 bytes of the size of the data chunk,
    behind its name of 16, are 0."""
    whole = bytearray(encoded("W64"))
    place = whole.index(b"data") + 16
    whole[place : place + 8] = bytes(8)
    return bytes(whole)


def in_24_bits(samples: NDArray[np.int16]) -> bytes:
    return (samples.astype("<i4") << 16).view(np.uint8).reshape(-1, 4)[:, 1:].tobytes()


def with_doubles(*odd: float) -> bytes:
    return wav(
        form(width=8, tag=3), chunk(b"data", np.append(AS_FLOAT, odd).astype("<f8").tobytes())
    )


@cache
def encoded(kind: str, subtype: str = "PCM_16", times: int = 1) -> bytes:
    buffer = io.BytesIO()
    soundfile.write(buffer, np.tile(NOISE, times), RATE, format=kind, subtype=subtype)
    return buffer.getvalue()


def mp3(samples: NDArray[Any], rate: int = RATE, mode: str = "CONSTANT") -> bytes:
    buffer = io.BytesIO()
    channels = 1 if samples.ndim == 1 else samples.shape[1]
    with soundfile.SoundFile(
        buffer,
        "w",
        rate,
        channels,
        "MPEG_LAYER_III",
        format="MP3",
        bitrate_mode=mode,
        compression_level=0.2,
    ) as sound:
        sound.write(samples)
    return buffer.getvalue()


def without_count(content: bytes) -> bytes:
    """An MP3 as hardware writes it: its first frame says nothing, and is silent."""
    return content.replace(b"Xing", b"none").replace(b"Info", b"none")


def flac_without_count() -> bytes:
    """As an encoder leaves it that could not go back: 0 in the 36 bits of the number of samples
    (RFC 9639, section 8.2)."""
    whole = bytearray(encoded("FLAC"))
    whole[21] &= 0xF0
    whole[22:26] = bytes(4)
    return bytes(whole)


# ---- what is damaged or odd, what is read of it, and what is told


@dataclass(frozen=True)
class Case:
    """A file; how many samples are read of it, and the kinds that are reported; or the words with
    which it is refused.

    Args:
        exact: the samples are bit by bit those that were written, as far as they are read; what is
            added to them is read as 0.
    """

    title: str
    name: str
    content: bytes
    samples: range = range(0)
    report: tuple[str, ...] = ()
    exact: bool = True
    refused: str = ""


def count(n: int) -> range:
    return range(n, n + 1)


WHOLE = wav(form(), data())
HALF = N // 2
ODD = chunk(b"LIST", b"odd")
FLAC, MP3, ALAW = encoded("FLAC"), encoded("MP3", "MPEG_LAYER_III"), encoded("WAV", "ALAW")
OGG = encoded("OGG", "VORBIS", times=8)  # long enough for several pages
NO_FRAME_SIZE = form().replace(struct.pack("<HH", 2, 16), struct.pack("<HH", 0, 16))
BIG_ENDIAN = chunk(b"data", NOISE.astype(">i2").tobytes(), order=">")
IN_4_BYTES = chunk(b"data", (NOISE.astype("<i4") << 16).tobytes())
IN_8_BITS = chunk(b"data", ((NOISE >> 8) + 128).astype(np.uint8).tobytes())
IN_FLOATS = chunk(b"data", AS_FLOAT.astype("<f4").tobytes())
OPUS, ADPCM = encoded("OGG", "OPUS", times=8), encoded("WAV", "IMA_ADPCM")
SPOILT = FLAC[:9000] + bytes([FLAC[9000] ^ 255]) + FLAC[9001:]
LATE_START = NOISE * (np.arange(N) > 99)
CLIPPED = np.clip(NOISE * 9.0, -32768, 32767).astype(np.int16)
ALL_ONES = 2**32 - 1

CASES = [
    Case("whole", "a.wav", WHOLE, count(N)),
    Case("RF64 called WAV", "a.wav", rf64(), count(N)),
    Case("RF64", "a.rf64", rf64(), count(N)),
    Case("W64", "a.w64", encoded("W64"), count(N)),
    Case("AIFF", "a.aif", encoded("AIFF"), count(N)),
    Case("FLAC", "a.flac", FLAC, count(N)),
    Case("OGG", "a.ogg", OGG, count(8 * N), exact=False),
    Case("Opus", "a.ogg", OPUS, count(8 * N), exact=False),
    Case("MP3", "a.mp3", MP3, count(N), exact=False),
    Case("8 bits", "a.wav", wav(form(width=1), IN_8_BITS), count(N), exact=False),
    Case("24 bits", "a.wav", wav(form(width=3), chunk(b"data", in_24_bits(NOISE))), count(N)),
    Case("32 bits", "a.wav", wav(form(width=4), IN_4_BYTES), count(N)),
    Case("floats of 32 bits", "a.wav", wav(form(width=4, tag=3), IN_FLOATS), count(N)),
    Case("floats of 64 bits", "a.wav", with_doubles(), count(N)),
    Case("ADPCM", "a.wav", ADPCM, range(N, N + 505), exact=False),  # whole blocks of 505 samples
    Case(
        "GSM, which cannot be sought in", "a.wav", encoded("WAV", "GSM610"), count(N), exact=False
    ),
    Case("upper case", "A.WAV", WHOLE, count(N)),
    Case("no extension", "recording", WHOLE, count(N)),
    Case("cut", "a.wav", WHOLE[: 44 + 2 * HALF], count(HALF), ("truncated",)),
    Case("cut within a sample", "a.wav", WHOLE[: 44 + 2 * HALF + 1], count(HALF), ("truncated",)),
    Case(
        "size never written",
        "a.wav",
        wav(form(), data(size=0), size=36),
        count(N),
        ("no-data-size",),
    ),
    Case(
        "sizes 0, silence first",
        "a.wav",
        wav(form(), data(LATE_START, 0), size=0),
        count(N),
        ("no-data-size",),
        exact=False,
    ),
    Case(
        "written to a pipe",
        "a.wav",
        wav(form(), data(size=ALL_ONES), size=ALL_ONES),
        count(N),
        ("no-data-size",),
    ),
    Case(
        "size of SoX to a pipe",
        "a.wav",
        wav(form(), data(size=0x7FFFF000), size=0x7FFFF024),
        count(N),
        ("no-data-size",),
    ),
    Case(
        "size of a killed arecord",
        "a.wav",
        wav(form(), data(size=2**31), size=2**31 + 36),
        count(N),
        ("no-data-size",),
    ),
    Case("W64, size never written", "a.w64", w64_without_size(), count(N), ("no-data-size",)),
    Case("size of the container wrong", "a.wav", wav(form(), data(), size=99), count(N)),
    Case(
        "size beyond the container",
        "a.wav",
        wav(form(), data(size=10**8), size=36 + 2 * N),
        count(N),
        ("over-long-size",),
    ),
    Case(
        "size of an earlier moment",
        "a.wav",
        wav(form(), data(size=2000), size=2036),
        count(N),
        ("short-size",),
    ),
    Case(
        "a chunk behind the samples",
        "a.wav",
        wav(form(), data(), chunk(b"LIST", bytes(40_000))),
        count(N),
    ),
    Case("a stray byte behind the samples", "a.wav", WHOLE + b"\7", count(N)),
    Case("garbage behind the samples", "a.wav", WHOLE + bytes(range(1, 250)), count(N)),
    Case("padding behind the samples", "a.wav", WHOLE + bytes(512), count(N)),
    Case(
        "chunks before the samples",
        "a.wav",
        wav(chunk(b"bext", bytes(602)), form(), ODD, data()),
        count(N),
    ),
    Case("odd chunk without padding", "a.wav", wav(form(), ODD[:-1], data()), count(N)),
    Case("no frame size", "a.wav", wav(NO_FRAME_SIZE, data()), count(N)),
    Case(
        "24 bits, cut",
        "a.wav",
        wav(extensible(3), chunk(b"data", in_24_bits(NOISE)))[: 68 + 3 * HALF + 2],
        count(HALF),
        ("truncated",),
    ),
    Case("16 bits in 4 bytes", "a.wav", wav(extensible(4, 16), IN_4_BYTES), count(N)),
    Case(
        "big-endian", "a.wav", wav(form(order=">"), BIG_ENDIAN, magic=b"RIFX", order=">"), count(N)
    ),
    Case("RF64, cut", "a.wav", rf64()[: -2 * HALF], count(N - HALF), ("truncated",)),
    Case("W64, cut", "a.w64", encoded("W64")[: -2 * HALF], count(N - HALF), ("truncated",)),
    Case("A-law, cut", "a.wav", ALAW[:-HALF], count(N - HALF), ("truncated",), exact=False),
    Case(
        "ADPCM, cut",
        "a.wav",
        ADPCM[:-4000],
        range(16 * 505, 17 * 505 + 1),
        ("truncated",),
        exact=False,
    ),
    Case(
        "not-a-number", "a.wav", with_doubles(np.nan, -np.inf, 1e30), count(N + 3), ("non-finite",)
    ),
    Case("more than a float can hold", "a.wav", with_doubles(1e300), count(N + 1), ("non-finite",)),
    Case("silence", "a.wav", wav(form(), data(NOISE * 0)), count(N), ("silent",), exact=False),
    Case(
        "a broken microphone",
        "a.wav",
        wav(form(), data(NOISE * 0 - 999)),
        count(N),
        ("silent",),
        exact=False,
    ),
    Case("clipped", "a.wav", wav(form(), data(CLIPPED)), count(N), ("clipped",), exact=False),
    Case("FLAC, cut", "a.flac", FLAC[:-9000], range(HALF, N), ("cut-off",)),
    Case("FLAC, one byte changed", "a.flac", SPOILT, count(N), ("non-finite",), exact=False),
    Case("FLAC of unknown length", "a.flac", flac_without_count(), count(N), ("no-data-size",)),
    Case("FLAC called WAV", "a.wav", FLAC, count(N), ("misnamed",)),
    Case(
        "Opus, cut in its last page",
        "a.ogg",
        OPUS[:-10],
        range(7 * N, 8 * N),
        ("truncated",),
        exact=False,
    ),
    Case("OGG, cut", "a.ogg", OGG[:-3000], range(N, 8 * N), ("truncated",), exact=False),
    Case("MP3, cut", "a.mp3", MP3[:-1500], range(2000, N), ("cut-off",), exact=False),
    Case("MP3 called WAV", "a.WAV", MP3, count(N), ("misnamed",), exact=False),
    Case("AIFF, cut", "a.aiff", encoded("AIFF")[: -2 * HALF], count(N - HALF), ("truncated",)),
    Case(
        "WAV called MP3, cut",
        "a.mp3",
        WHOLE[: 44 + 2 * HALF],
        count(HALF),
        ("truncated", "misnamed"),
    ),
    Case("empty", "a.wav", b"", refused="the file is empty"),
    Case(
        "a web page",
        "a.wav",
        b"<html>404: not found</html>" * 100,
        refused="not a readable audio file .*<html>",
    ),
    Case("zeros where a file was", "a.wav", bytes(50_000), refused="not a readable audio file"),
    Case("samples without a header", "a.raw", NOISE.tobytes(), refused="not a readable audio file"),
    Case("cut in its first bytes", "a.wav", WHOLE[:6], refused="not a readable audio file"),
    Case("cut in its header", "a.wav", WHOLE[:30], refused="ends before its samples"),
    Case("RF64, cut in its sizes", "a.wav", rf64()[:30], refused="ends before its samples"),
    Case("cut behind its header", "a.wav", WHOLE[:44], refused="no samples in it"),
    Case(
        "nothing recorded",
        "a.wav",
        wav(form(), data(NOISE[:0]), chunk(b"LIST", bytes(26))),
        refused="no samples in it",
    ),
    Case("header of zeros", "a.wav", wav(bytes(1000)), refused="ends before its samples"),
    Case(
        "samples before their format",
        "a.wav",
        wav(data(), form()),
        refused="format chunk is missing",
    ),
    Case("no channels", "a.wav", wav(form(channels=0), data()), refused="0 channels"),
    Case("no rate", "a.wav", wav(form(rate=0), data()), refused="0 samples a second"),
    Case(
        "a rate below all recorders",
        "a.wav",
        wav(form(rate=1), data()),
        refused="1 samples a second, 100 to 1000000 are expected",
    ),
    Case(
        "a rate beyond all recorders",
        "a.wav",
        wav(form(rate=ALL_ONES), data()),
        refused=f"{ALL_ONES} samples a second",
    ),
    Case(
        "A-law, size never written",
        "a.wav",
        wav(form(width=1, tag=6), data(size=0)),
        refused="no samples in it",
    ),
    Case("FLAC of zeros", "a.flac", FLAC[:200] + bytes(30_000), refused="no samples in it"),
]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.title)
def test_what_is_usable_is_used_and_what_is_wrong_is_told(case: Case, tmp_path: Path) -> None:
    path = tmp_path / case.name
    path.write_bytes(case.content)
    if case.refused:
        with pytest.raises(RecordingError, match=case.refused) as refusal:
            open_recording(path)
        assert str(refusal.value).startswith(f"{path}: ")
        assert "\n" not in str(refusal.value)
        return
    recording = open_recording(path)
    check = SampleCheck()
    samples = joined(recording.blocks(RATE, 0.3, check=check))
    assert len(samples) in case.samples
    assert kinds(*recording.header_damage, *check.damage()) == case.report
    if case.exact:
        np.testing.assert_array_equal(
            samples, np.append(AS_FLOAT, np.zeros(3, np.float32))[: len(samples)]
        )


def kinds(*damage: Damage) -> tuple[str, ...]:
    return tuple(found.kind for found in damage)


def joined(blocks: Iterable[Block]) -> Block:
    return np.concatenate([np.empty(0, np.float32), *blocks])


def saved(folder: Path, content: bytes, name: str = "a.wav") -> Recording:
    (folder / name).write_bytes(content)
    return open_recording(folder / name)


def stored(folder: Path, samples: NDArray[Any], rate: int = RATE, **how: str) -> Recording:
    """Samples `(frame,)` or `(frame, channel)` written by libsndfile."""
    soundfile.write(folder / "a.wav", samples, rate, **{"format": "WAV", "subtype": "PCM_16"} | how)
    return open_recording(folder / "a.wav")


def test_names_that_are_no_text_can_be_opened(tmp_path: Path) -> None:
    for name, content in [
        (b"for\xeat.flac", FLAC),
        (b"for\xeat.wav", WHOLE),
        (b"\xea.wav", b"no sound"),
    ]:
        path = Path(os.fsdecode(os.path.join(os.fsencode(tmp_path), name)))  # noqa: PTH118  # paths of bytes have no Path
        try:
            path.write_bytes(content)
        except OSError:
            pytest.skip("this system has no such names")
        if content == b"no sound":
            with pytest.raises(RecordingError, match="not a readable audio file"):
                open_recording(path)
        else:
            np.testing.assert_array_equal(open_recording(path).read(0, N), AS_FLOAT)


def test_folders_pipes_and_what_is_not_there_are_refused(tmp_path: Path) -> None:
    with pytest.raises(RecordingError, match="a folder, not a recording"):
        open_recording(tmp_path)
    with pytest.raises(RecordingError, match=r"cannot be opened \(No such file"):
        open_recording(tmp_path / "a.wav")
    if hasattr(os, "mkfifo"):
        os.mkfifo(tmp_path / "b.wav")
        with pytest.raises(RecordingError, match="a device or a pipe"):
            open_recording(tmp_path / "b.wav")


def test_the_report_says_how_much_is_missing(tmp_path: Path) -> None:
    (damage,) = saved(tmp_path, WHOLE[: 44 + 2 * HALF]).header_damage
    assert damage.detail == "its header announces 2.00 s; the file has 1.00 s"
    check = SampleCheck()
    recording = saved(tmp_path, FLAC[:-9000], "a.flac")
    n_read = len(joined(recording.blocks(RATE, check=check)))
    assert recording.duration_s == 2.0
    assert check.damage() == (
        Damage("cut-off", f"its header announces 2.00 s; {n_read / RATE:.2f} s can be read"),
    )


def test_sizes_that_do_not_fit_in_32_bits_are_taken_from_the_file() -> None:
    file_size = 44 + 2**32 + 2 * N
    header = read_wav(io.BytesIO(wav(form(), data())), file_size)
    assert header is not None
    assert header.n_samples == 2**31 + N
    assert kinds(*header.damage) == ("short-size",)


@settings(
    deadline=None, max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    content=st.sampled_from([WHOLE, rf64(), encoded("W64"), encoded("AIFF")]), share=st.floats(0, 1)
)
def test_a_cut_anywhere_leaves_the_samples_before_it(
    content: bytes, share: float, tmp_path: Path
) -> None:
    cut = int(share * len(content))
    try:
        recording = saved(tmp_path, content[:cut])
    except RecordingError:
        assert cut < 200
    else:
        samples = joined(recording.blocks(RATE))
        np.testing.assert_array_equal(samples, AS_FLOAT[: len(samples)])
        assert 2 * (N - len(samples)) <= len(content) - cut + 1
        assert ("truncated" in kinds(*recording.header_damage)) == (cut < len(content))


@settings(
    deadline=None, max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    content=st.sampled_from(
        [
            WHOLE,
            rf64(),
            encoded("W64"),
            with_doubles(),
            wav(extensible(3), chunk(b"data", in_24_bits(NOISE))),
        ]
    ),
    changes=st.dictionaries(st.integers(0, 110), st.integers(0, 255), max_size=6),
)
def test_a_header_of_any_bytes_is_read_or_refused(
    content: bytes, changes: dict[int, int], tmp_path: Path
) -> None:
    broken = bytearray(content)
    for place, byte in changes.items():
        broken[place] = byte
    try:
        recording = saved(tmp_path, bytes(broken))
    except RecordingError as refusal:
        assert changes, refusal  # noqa: PT017  # only what was changed may be refused
    else:
        samples = joined(recording.blocks(recording.rate))
        assert np.isfinite(samples).all()
        assert len(samples) <= recording.n_samples


@pytest.mark.parametrize("share", [0.4, 0.6, 0.95])
def test_a_cut_flac_gives_the_same_whatever_is_read_at_a_time(share: float, tmp_path: Path) -> None:
    recording = saved(tmp_path, FLAC[: int(share * len(FLAC))], "a.flac")
    lengths = {
        len(joined(recording.blocks(RATE, size / RATE)))
        for size in (1000, 1024, 4096, 5000, 8192, N)
    }
    assert len(lengths) == 1
    (length,) = lengths
    assert share * N - 5000 < length < share * N
    np.testing.assert_array_equal(recording.read(0, N), AS_FLOAT[:length])


def test_a_damaged_place_in_a_flac_costs_no_more_than_its_surroundings(tmp_path: Path) -> None:
    whole = np.tile(AS_FLOAT, 10)
    content = bytearray(encoded("FLAC", times=10))
    content[len(content) // 3] ^= 255
    content[len(content) // 2 : len(content) // 2 + 20_000] = bytes(20_000)
    recording = saved(tmp_path, bytes(content), "a.flac")
    check = SampleCheck()
    samples = joined(recording.blocks(RATE, 0.4, check=check))
    assert len(samples) == len(whole)
    lost = (samples == 0) & (whole != 0)
    np.testing.assert_array_equal(samples[~lost], whole[~lost])
    assert check.n_non_finite < 4096 + 2 * (20_000 / len(content) * len(whole) + 2 * 4096)
    assert kinds(*check.damage()) == ("non-finite",)
    after = int(np.flatnonzero(lost)[-1]) + 1
    np.testing.assert_array_equal(recording.read(after, after + 5000), whole[after : after + 5000])
    inside = int(np.flatnonzero(lost)[0]) + 10
    np.testing.assert_array_equal(recording.read(inside, inside + 100), np.zeros(100, np.float32))


def test_a_flac_whose_beginning_is_damaged_is_read_from_behind_it(tmp_path: Path) -> None:
    content = bytearray(encoded("FLAC", times=2))
    start = content.index(b"\xff\xf8") + 100  # the first frame, behind the metadata
    content[start] ^= 255
    samples = joined(saved(tmp_path, bytes(content), "a.flac").blocks(RATE))
    assert not samples[:4096].any()
    np.testing.assert_array_equal(samples[4096:], np.tile(AS_FLOAT, 2)[4096:])


def test_a_cut_flac_of_unknown_length_has_what_can_be_decoded(tmp_path: Path) -> None:
    recording = saved(tmp_path, flac_without_count()[: len(FLAC) // 2], "a.flac")
    assert kinds(*recording.header_damage) == ("no-data-size",)
    assert HALF - 5000 < recording.n_samples <= HALF
    np.testing.assert_array_equal(joined(recording.blocks(RATE)), AS_FLOAT[: recording.n_samples])
    np.testing.assert_array_equal(recording.read(1000, 2000), AS_FLOAT[1000:2000])


def test_what_a_cut_flac_does_not_reach_is_an_error(tmp_path: Path) -> None:
    recording = saved(tmp_path, FLAC[: len(FLAC) // 3], "a.flac")
    with pytest.raises(RecordingError, match="cannot be reached"):
        recording.read(N - 100, N)


# ---- encodings


@pytest.mark.parametrize("channels", [1, 2, 5])
@pytest.mark.parametrize("subtype", ["PCM_U8", "PCM_16", "PCM_24", "PCM_32", "FLOAT", "DOUBLE"])
@pytest.mark.parametrize(
    "how",
    [("WAV", "LITTLE"), ("WAV", "BIG"), ("WAVEX", "LITTLE"), ("RF64", "LITTLE"), ("W64", "LITTLE")],
)
def test_samples_are_those_that_libsndfile_reads(
    how: tuple[str, str], subtype: str, channels: int, tmp_path: Path
) -> None:
    noise = np.random.default_rng(1).uniform(-1, 1, (500, channels))
    kind, endian = how
    recording = stored(tmp_path, noise, subtype=subtype, format=kind, endian=endian)
    assert recording.layout is not None
    twin, rate = soundfile.read(recording.path, dtype="float32", always_2d=True)
    assert (recording.n_samples, recording.channels, recording.rate) == (500, channels, rate)
    for channel in range(channels):
        np.testing.assert_array_equal(recording.read(0, 500, channel), twin[:, channel])
        np.testing.assert_array_equal(recording.read(123, 457, channel), twin[123:457, channel])
        np.testing.assert_array_equal(
            joined(recording.blocks(RATE, 0.01, channel)), twin[:, channel]
        )
    np.testing.assert_allclose(recording.read(0, 500), twin.mean(axis=1), atol=2e-7)


@pytest.mark.parametrize(
    ("kind", "subtype"),
    [
        ("FLAC", "PCM_16"),
        ("FLAC", "PCM_24"),
        ("AIFF", "PCM_16"),
        ("AIFF", "FLOAT"),
        ("WAV", "ALAW"),
    ],
)
def test_decoded_samples_are_those_that_libsndfile_reads(
    kind: str, subtype: str, tmp_path: Path
) -> None:
    recording = stored(
        tmp_path, np.random.default_rng(2).uniform(-1, 1, (9000, 2)), subtype=subtype, format=kind
    )
    assert recording.layout is None
    twin, _ = soundfile.read(recording.path, dtype="float32", always_2d=True)
    for channel in (0, 1):
        np.testing.assert_array_equal(
            joined(recording.blocks(RATE, 0.1, channel)), twin[:, channel]
        )
        np.testing.assert_array_equal(recording.read(4000, 8500, channel), twin[4000:8500, channel])


LOSSY = {"MP3": "MPEG_LAYER_III", "OGG": "VORBIS", "Opus": "OPUS", "WAV": "IMA_ADPCM"}


@pytest.mark.parametrize("kind", LOSSY)
def test_lossy_encodings_keep_times_and_levels(kind: str, tmp_path: Path) -> None:
    burst = np.exp(-0.5 * ((np.arange(4 * RATE) - 20_000) / 1500) ** 2) * np.sin(
        2 * np.pi * 120 * np.arange(4 * RATE) / RATE
    )
    recording = stored(
        tmp_path, 0.4 * burst, subtype=LOSSY[kind], format="OGG" if kind == "Opus" else kind
    )
    twin, _ = soundfile.read(recording.path, dtype="float32")
    np.testing.assert_allclose(twin[: len(burst)], 0.4 * burst, atol=0.04)
    for block_s in (0.02, 0.11, 0.5, 60):
        np.testing.assert_allclose(joined(recording.blocks(RATE, block_s)), twin, atol=1e-6)
    for start in (1, 5000, 15_000, 21_000):
        np.testing.assert_allclose(
            recording.read(start, start + 2000), twin[start : start + 2000], atol=1e-6
        )


@pytest.mark.parametrize("mode", ["CONSTANT", "VARIABLE"])
@pytest.mark.parametrize("channels", [1, 2])
@pytest.mark.parametrize("rate", [8000, 11025, 16000, 24000, 44100, 48000])
def test_an_mp3_that_does_not_say_its_length_is_read_to_its_end(
    rate: int, channels: int, mode: str, tmp_path: Path
) -> None:
    samples = np.stack(
        [np.concatenate([NOISE, NOISE * 0])] * channels, axis=1
    )  # a high bit rate, then a low one
    content = mp3(samples, rate, mode)
    counted = joined(saved(tmp_path, content, "a.mp3").blocks(rate))
    tag = b"ID3\x04\0\0\0\0\x01\x7f" + bytes(255)
    recording = saved(tmp_path, tag + without_count(content) + b"TAG" + bytes(125), "b.mp3")
    check = SampleCheck()
    found = joined(recording.blocks(rate, 0.25, check=check))
    assert kinds(*recording.header_damage) == ()
    assert "cut-off" not in kinds(*check.damage())
    assert recording.n_samples == len(found)
    # In front are the silent first frame and the delay of the encoder, behind the rest of the last
    # frame.
    delay = (1152 if rate >= 32000 else 576) + 576
    np.testing.assert_allclose(found[delay : delay + len(counted)], counted, atol=1e-6)
    assert len(found) - delay - len(counted) < 1152
    np.testing.assert_allclose(
        recording.read(delay + 5000, delay + 9000), counted[5000:9000], atol=1e-6
    )


def test_a_cut_mp3_that_does_not_say_its_length_has_the_frames_that_are_there(
    tmp_path: Path,
) -> None:
    content = without_count(mp3(np.tile(NOISE, 3)))
    whole = joined(saved(tmp_path, content, "a.mp3").blocks(RATE))
    for cut in range(len(content) // 3, len(content) // 3 + 500, 50):
        recording = saved(tmp_path, content[:cut], "b.mp3")
        check = SampleCheck()
        found = joined(recording.blocks(RATE, check=check))
        assert kinds(*recording.header_damage, *check.damage()) == ()
        assert (
            cut / len(content) * len(whole) - 1200
            < len(found)
            < cut / len(content) * len(whole) + 600
        )
        np.testing.assert_allclose(found[:-1152], whole[: len(found) - 1152], atol=1e-6)


@pytest.mark.parametrize("name", ["a.wav", "a.flac"])
def test_parts_are_parts_of_the_whole(name: str, tmp_path: Path) -> None:
    recording = saved(tmp_path, WHOLE if name == "a.wav" else FLAC, name)
    for start, stop in [(0, N), (0, 1), (4097, 9001), (N - 1, N), (N, N), (77, 77)]:
        np.testing.assert_array_equal(recording.read(start, stop), AS_FLOAT[start:stop])


@pytest.mark.parametrize(("start", "stop"), [(-1, 5), (5, 4), (0, N + 1)])
def test_parts_outside_a_recording_are_refused(start: int, stop: int, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=f"samples {start} to {stop} are not within 0 to {N}"):
        saved(tmp_path, WHOLE).read(start, stop)


# ---- channels


def test_channels_are_chosen_or_averaged(tmp_path: Path) -> None:
    recording = stored(tmp_path, np.stack([NOISE, NOISE // 2, -NOISE // 4], axis=1))
    np.testing.assert_array_equal(joined(recording.blocks(RATE, channel=0)), AS_FLOAT)
    np.testing.assert_array_equal(
        joined(recording.blocks(RATE, channel=2)), (-NOISE // 4) / np.float32(32768)
    )
    np.testing.assert_allclose(joined(recording.blocks(RATE)), AS_FLOAT * (1.25 / 3), atol=3e-5)


@pytest.mark.parametrize("channel", [-1, 1])
def test_channels_that_are_not_there_are_refused(channel: int, tmp_path: Path) -> None:
    recording = saved(tmp_path, WHOLE)
    with pytest.raises(ValueError, match=f"no channel {channel + 1}; counted from 1, it has 1"):
        recording.blocks(RATE, channel=channel)
    with pytest.raises(ValueError, match="no channel"):
        recording.read(0, 1, channel)


def test_what_is_no_number_in_one_channel_does_not_spoil_the_others(tmp_path: Path) -> None:
    other = AS_FLOAT.copy()
    other[5] = np.nan
    recording = stored(tmp_path, np.stack([AS_FLOAT, other], axis=1), subtype="FLOAT")
    check = SampleCheck()
    samples = joined(recording.blocks(RATE, check=check))
    assert samples[5] == AS_FLOAT[5] / 2
    np.testing.assert_array_equal(np.delete(samples, 5), np.delete(AS_FLOAT, 5))
    assert check.n_non_finite == 1


def test_a_chosen_channel_is_the_one_that_is_judged(tmp_path: Path) -> None:
    recording = stored(tmp_path, np.stack([NOISE, NOISE * 0], axis=1))
    for channel, report in [(0, ()), (1, ("silent",)), (None, ())]:
        check = SampleCheck()
        joined(recording.blocks(RATE, channel=channel, check=check))
        assert kinds(*check.damage()) == report


# ---- rates


RATES = [2000, 4000, 8000, 11025, 22050, 44100, 48000, 96000, 192000]


@pytest.mark.parametrize("own_rate", RATES)
@pytest.mark.parametrize("rate", [4000, 8000, 11025])
def test_the_length_is_that_of_the_recording_and_blocks_change_nothing(
    own_rate: int, rate: int, tmp_path: Path
) -> None:
    for n in (1, 7, own_rate // 3 + 1):
        recording = stored(tmp_path, NOISE.repeat(5)[:n], own_rate)
        whole = joined(recording.blocks(rate))
        assert len(whole) == -(-n * rate // own_rate)
        for size in (97, 4096):
            np.testing.assert_array_equal(joined(recording.blocks(rate, size / own_rate)), whole)


@pytest.mark.parametrize("own_rate", RATES)
def test_a_tone_keeps_its_level_its_pitch_and_its_time(own_rate: int, tmp_path: Path) -> None:
    def tone(rate: int) -> Block:
        return (0.5 * np.sin(2 * np.pi * 20 * np.arange(2 * rate) / rate)).astype(np.float32)

    recording = stored(tmp_path, tone(own_rate), own_rate, subtype="FLOAT")
    found = joined(recording.blocks(4000))
    inner = slice(400, -400)  # a tenth of a second from the silence on both sides
    np.testing.assert_allclose(found[inner], tone(4000)[inner], atol=1e-3)


@pytest.mark.parametrize("own_rate", [rate for rate in RATES if rate > 4000])
def test_what_lies_above_the_new_band_is_gone_by_80_db(own_rate: int, tmp_path: Path) -> None:
    tone = np.sin(2 * np.pi * 0.3 * own_rate * np.arange(own_rate) / own_rate).astype(
        np.float32
    )  # 2.4 kHz and above
    found = joined(stored(tmp_path, tone, own_rate, subtype="FLOAT").blocks(4000))
    assert np.abs(found[400:-400]).max() < 1e-4


def test_a_lower_rate_is_brought_up_and_told(tmp_path: Path) -> None:
    recording = stored(tmp_path, NOISE, 2000)
    check = SampleCheck()
    found = joined(recording.blocks(4000, check=check))
    power = np.abs(np.fft.rfft(found * np.hanning(len(found)))) ** 2
    upper = power[int(0.55 * len(power)) :]
    assert upper.sum() < 1e-5 * power.sum()
    detail = "nothing above 1000 Hz is in it: it has 2000 samples a second, 4000 are asked for"
    assert check.damage() == (Damage("low-rate", detail),)


@pytest.mark.parametrize(("rate", "block_s"), [(0, 60.0), (-1, 60.0), (4000, 0.0)])
def test_no_rate_and_no_block_are_refused(rate: int, block_s: float, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="must be positive"):
        saved(tmp_path, WHOLE).blocks(rate, block_s)


# ---- memory and files


def test_blocks_are_of_the_length_that_is_asked_for(tmp_path: Path) -> None:
    assert [len(block) for block in saved(tmp_path, WHOLE).blocks(RATE, 0.75)] == [6000, 6000, 4000]


@pytest.mark.parametrize("own_rate", RATES)
def test_a_resampled_block_is_longer_by_no_more_than_the_filter_holds_back(
    own_rate: int, tmp_path: Path
) -> None:
    lengths = [
        len(block) for block in stored(tmp_path, NOISE.repeat(12), own_rate).blocks(4000, 0.3)
    ]
    assert max(lengths) <= 0.3 * 4000 + 2000
    assert min(lengths) > 0


def peak_memory(recording: Recording, rate: int) -> int:
    tracemalloc.start()
    for _ in recording.blocks(rate, 10):
        pass
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    return peak


@pytest.mark.parametrize("rate", [8000, 4000])
def test_memory_does_not_grow_with_length(rate: int, tmp_path: Path) -> None:
    peaks = []
    for minutes in (2, 20):
        path = tmp_path / f"{minutes}.wav"
        path.write_bytes(wav(form(), data(size=minutes * 60 * 2 * RATE))[:44])
        os.truncate(path, 44 + minutes * 60 * 2 * RATE)
        peaks.append(peak_memory(open_recording(path), rate))
    assert peaks[1] < 1.1 * peaks[0]


def test_many_channels_are_read_in_less_at_a_time(tmp_path: Path) -> None:
    path = tmp_path / "a.wav"
    seconds, channels = 60, 64
    path.write_bytes(wav(form(channels=channels), data(size=seconds * 2 * RATE * channels))[:44])
    os.truncate(path, 44 + seconds * 2 * RATE * channels)
    blocks = [len(block) for block in open_recording(path).blocks(RATE, channel=0)]
    assert sum(blocks) == seconds * RATE
    assert max(blocks) * channels <= 1 << 22


@pytest.mark.parametrize("name", ["a.wav", "a.flac"])
def test_a_stream_that_is_left_closes_its_file(name: str, tmp_path: Path) -> None:
    blocks = saved(tmp_path, WHOLE if name == "a.wav" else FLAC, name).blocks(RATE, 0.1)
    before = open_files(tmp_path)
    next(blocks)
    during = open_files(tmp_path)
    del blocks
    assert (before, during, open_files(tmp_path)) == (0, 1, 0)


def open_files(folder: Path) -> int:
    """Files of a folder that this process has open; of systems that tell."""
    handles = Path("/proc/self/fd")
    if not handles.is_dir():
        pytest.skip("this system does not tell which files are open")
    return sum(handle.resolve().is_relative_to(folder.resolve()) for handle in handles.iterdir())


# ---- the account of samples


@settings(deadline=None)
@given(
    values=st.lists(
        st.sampled_from([0.0, 0.5, -0.5, 1.0, -1.0, 1.5, np.nan, np.inf, 1e20]), max_size=30
    ),
    cuts=st.lists(st.integers(0, 30), max_size=4),
)
def test_the_account_does_not_depend_on_how_samples_come(
    values: list[float], cuts: list[int]
) -> None:
    samples = np.array(values, np.float32)
    whole, parts = SampleCheck(), SampleCheck()
    whole.update(samples)
    for part in np.split(samples, sorted(cuts)):
        parts.update(part)
    assert parts == whole
    assert whole.n_non_finite == sum(not abs(value) < 1e12 for value in values)
    assert whole.n_clipped == sum(1 <= abs(value) < 2 for value in values)


@given(st.lists(st.sampled_from([-32768, -32767, -32766, 0, 1, 32766, 32767]), min_size=1))
def test_16_bits_are_judged_as_the_floats_that_they_are(values: list[int]) -> None:
    whole, scaled = SampleCheck(), SampleCheck()
    whole.update(np.array(values, np.int16))
    scaled.update((np.array(values) / 32768).astype(np.float32))
    assert whole == scaled


def test_single_samples_at_full_scale_are_not_reported() -> None:
    loud = NOISE.copy()
    loud[100] = 32767
    check = SampleCheck()
    check.update(loud)
    assert check.n_clipped == 1
    assert check.damage() == ()


def test_nothing_is_said_of_nothing() -> None:
    assert SampleCheck().damage() == ()


# ---- names


@pytest.mark.parametrize(
    ("name", "site", "start"),
    [
        ("nn01a_20180126_000000.wav", "nn01a", "2018-01-26T00:00:00+01:00"),
        ("nn10b_20171229_202059", "nn10b", "2017-12-29T20:20:59+01:00"),
        ("dzan_20130101_180000.wav", "dz", "2013-01-01T18:00:00+01:00"),
        ("dz_20130101_180000.WAV", "dz", "2013-01-01T18:00:00+01:00"),
        ("20210722_005941.WAV", None, "2021-07-22T00:59:41+01:00"),
        ("20210722_005941T.WAV", None, "2021-07-22T00:59:41+01:00"),
        ("RIDGE-2_20210722_005941.wav", "RIDGE-2", "2021-07-22T00:59:41+01:00"),
        ("RIDGE_20210722_005941Z.wav", "RIDGE", "2021-07-22T00:59:41+00:00"),
        ("20210722T005941-0230_forest.flac", None, "2021-07-22T00:59:41-02:30"),
        ("S4A03895_20190522_000000_45244b.flac", "S4A03895", "2019-05-22T00:00:00+01:00"),
        ("IPA10ST__20210219_130001.wav", "IPA10ST", "2021-02-19T13:00:01+01:00"),
        ("10203040_20210722_005941.wav", "10203040", "2021-07-22T00:59:41+01:00"),
        ("5ADA897F.WAV", None, "2018-04-21T00:44:47+00:00"),
        ("5ADA897F_159f1b711-e7a5-4cad-bb9a-4bd3e9d18a33.flac", None, "2018-04-21T00:44:47+00:00"),
        ("5ADA897F_20210722_005941.wav", "5ADA897F", "2021-07-22T00:59:41+01:00"),
        ("5ADA897F_3.5-7.5.wav", None, None),
        ("DEADBEEF_1.wav", None, None),
        ("5ada897f.wav", None, None),
        ("nn01b_20180220_000000_57182231.0_57242231.0_cropped.flac", "nn01b", None),
        ("IPA10ST__20210219_130001__14.46_0-14_0.51_gun1.wav", "IPA10ST", None),
        ("nn01a_20181326_000000.wav", "nn01a", None),
        ("nn01a_20180229_000000.wav", "nn01a", None),
        ("nn01a_20180126_240000.wav", "nn01a", None),
        ("nn01a_19700101_000012.wav", "nn01a", None),
        ("nn01a_20180126.wav", None, None),
        ("102305-6-0-0.wav", None, None),
        ("20210722.wav", None, None),
        ("00000000.WAV", None, None),
        ("FFFFFFFF.WAV", None, None),
        ("forest.wav", None, None),
        ("", None, None),
    ],
)
def test_names_say_where_and_when(name: str, site: str | None, start: str | None) -> None:
    found_site, found_start = parse_name(name, BRAZZAVILLE)
    assert (found_site, found_start.isoformat() if found_start else None) == (site, start)


def test_without_a_zone_only_names_that_say_it_have_a_time() -> None:
    assert parse_name("nn01a_20180126_000000.wav", None) == ("nn01a", None)
    assert parse_name("nn01a_20180126_000000Z.wav", None) == (
        "nn01a",
        datetime(2018, 1, 26, tzinfo=UTC),
    )
    assert parse_name("5ADA897F.WAV", None)[1] == datetime(2018, 4, 21, 0, 44, 47, tzinfo=UTC)


@pytest.mark.parametrize(
    ("digits", "offset"),
    [
        ("20210722_005941", "+02:00"),
        ("20211222_005941", "+01:00"),
        ("20211031_023000", "+02:00"),  # this hour is there twice: the first
        (
            "20210328_023000",
            "+01:00",
        ),  # this one is not there: a clock that was not set to summer time
    ],
)
def test_summer_time_is_that_of_the_day(digits: str, offset: str) -> None:
    _, start = parse_name(f"forest_{digits}.wav", ZoneInfo("Europe/Berlin"))
    assert start is not None
    assert start.isoformat()[19:] == offset
    assert f"{start:%Y%m%d_%H%M%S}" == digits


@given(
    site=st.text("abcXYZ09-", min_size=1).map(lambda letters: f"s{letters}9"),
    time=st.datetimes(datetime(2000, 1, 1), datetime(2099, 12, 31)),  # noqa: DTZ001  # the zone is what the name leaves open
)
def test_every_time_that_can_be_written_is_read(site: str, time: datetime) -> None:
    expected = time.replace(microsecond=0, tzinfo=BRAZZAVILLE)
    assert parse_name(f"{site}_{time:%Y%m%d_%H%M%S}.wav", BRAZZAVILLE) == (site, expected)


@given(st.text())
def test_every_name_is_answered(name: str) -> None:
    _, start = parse_name(name, BRAZZAVILLE)
    assert start is None or start.tzinfo is not None


def test_a_recording_knows_its_name(tmp_path: Path) -> None:
    (tmp_path / "nn01a_20180126_003000.wav").write_bytes(WHOLE)
    recording = open_recording(tmp_path / "nn01a_20180126_003000.wav", BRAZZAVILLE)
    assert (recording.site, recording.start_time) == (
        "nn01a",
        datetime(2018, 1, 26, 0, 30, tzinfo=BRAZZAVILLE),
    )
    assert (recording.rate, recording.channels, recording.duration_s, recording.format) == (
        RATE,
        1,
        2.0,
        "WAV",
    )


# ---- folders


def test_folders_give_their_recordings_sorted_and_once(tmp_path: Path) -> None:
    wanted = [
        "a.wav",
        "b/c.WAV",
        "b/d/e.flac",
        "f.Mp3",
        "g.ogg",
        "h.aif",
        "i.AIFF",
        "j.w64",
        "k.rf64",
        "l.wave",
        "m.bwf",
        "n.oga",
        "o.opus",
        "p.aifc",
    ]
    unwanted = ["._a.wav", ".hidden/a.wav", "notes.txt", "a.selections.txt", "wav"]
    for name in wanted + unwanted:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    (tmp_path / "folder.wav").mkdir()
    assert find_recordings([tmp_path]) == [tmp_path / name for name in wanted]
    given = [tmp_path / "b", tmp_path / "notes.txt", tmp_path / "missing.wav", tmp_path]
    first = [tmp_path / name for name in ("b/c.WAV", "b/d/e.flac", "notes.txt", "missing.wav")]
    assert find_recordings(given) == first + [
        tmp_path / name for name in wanted if not name.startswith("b/")
    ]
    assert {path.suffix.lower() for path in find_recordings([tmp_path])} == set(SUFFIXES)


def test_a_recording_is_the_same_by_whatever_path(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "a.wav").touch()
    monkeypatch.chdir(tmp_path)
    assert find_recordings([Path("a.wav"), tmp_path, Path()]) == [Path("a.wav")]


def test_links_to_folders_are_followed_but_not_in_circles(tmp_path: Path) -> None:
    for name in ("b/x.wav", "b/c/y.wav", "elsewhere/z.wav"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    try:
        (tmp_path / "b" / "c" / "up").symlink_to(tmp_path / "b", target_is_directory=True)
        (tmp_path / "b" / "out").symlink_to(tmp_path / "elsewhere", target_is_directory=True)
    except OSError:
        pytest.skip("this system makes no links for this user")
    wanted = [tmp_path / name for name in ("b/c/y.wav", "b/out/z.wav", "b/x.wav")]
    assert find_recordings([tmp_path / "b"]) == wanted
    assert find_recordings([tmp_path / "b", tmp_path]) == wanted


def test_a_path_that_cannot_be_looked_at_stands_for_itself() -> None:
    path = Path("a" * 10_000)
    assert find_recordings([path]) == [path]
    with pytest.raises(RecordingError, match="cannot be opened"):
        open_recording(path)


def test_a_folder_that_may_not_be_read_is_not_passed_over(tmp_path: Path) -> None:
    locked = tmp_path / "locked"
    locked.mkdir()
    (tmp_path / "a.wav").touch()
    locked.chmod(0)
    if os.access(locked, os.R_OK):
        pytest.skip("nothing is closed to this user")
    try:
        assert find_recordings([tmp_path]) == [tmp_path / "a.wav", locked]
    finally:
        locked.chmod(0o700)


# ---- real recordings


@pytest.mark.skipif(not SHARED.is_dir(), reason="needs the shared recordings")
def test_real_recordings_are_whole_and_have_the_length_of_their_manifest() -> None:
    rows = [
        line.split("\t")
        for line in (SHARED / "audio" / "manifest.tsv").read_text(encoding="utf-8").splitlines()[1:]
    ]
    assert rows
    for row, (name, *_, seconds, _) in enumerate(rows):
        recording = open_recording(SHARED / "audio" / name)
        assert recording.header_damage == ()
        assert recording.duration_s == pytest.approx(float(seconds), abs=0.001)
        if row % 20 == 0:
            check = SampleCheck()
            n_read = sum(map(len, recording.blocks(4000, check=check)))
            assert n_read == -(-recording.n_samples * 4000 // recording.rate)
            assert set(kinds(*check.damage())) <= {"clipped"}


@pytest.mark.skipif(not SHARED.is_dir(), reason="needs the shared recordings")
def test_real_names_say_what_is_known() -> None:
    found = {
        path.name: parse_name(path.name, BRAZZAVILLE)
        for path in find_recordings([SHARED / "audio"])
    }
    # Minutes that were cut out of a day: the time in their names is the day's.
    assert [parsed for name, parsed in found.items() if name.startswith("nn01b")] == [
        ("nn01b", None)
    ] * 4
    assert [start for name, (_, start) in found.items() if name.startswith("5A")] == [
        datetime(2018, 4, 21, 0, 44, 47, tzinfo=UTC),
        datetime(2018, 5, 7, 23, 38, 21, tzinfo=UTC),
    ]
    meters = {name[:24]: start for name, (site, start) in found.items() if site == "S4A03895"}
    assert len(meters) == 48
    for name, start in meters.items():
        assert start is not None
        assert f"S4A03895_{start:%Y%m%d_%H%M%S}" == name


@pytest.mark.skipif(not SHARED.is_dir(), reason="needs the shared tables")
def test_every_recording_of_real_tables_has_a_site_and_a_time() -> None:
    tables = (SHARED / "annotations").glob("nn_ele*.txt")
    names = {
        name
        for table in tables
        for name in re.findall(r"nn\d\d[a-g]_[\w.]+\.wav", table.read_text(encoding="latin-1"))
    }
    assert len(names) > 100
    for name in names:
        site, start = parse_name(name, BRAZZAVILLE)
        assert site == name[:5]
        assert start is not None
        assert f"{start:%Y%m%d_%H%M%S}" == name[6:21]
