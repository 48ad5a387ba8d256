"""A clip set is read as it was written, and says what is wrong when it is none."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from loxo.clips import Clip, read_clips, write_clips
from loxo.events import EVENT_LABELS, Event

NAMES = st.text("abz09 -é", min_size=1, max_size=8).map(str.strip).filter(bool)
HZ = st.none() | st.floats(0, 4000)
CLIPS = st.lists(
    st.builds(
        Clip,
        path=NAMES.map(lambda name: Path("clips") / name),
        split=st.sampled_from(["train", "validation", "test"]),
        group=NAMES,
        seconds=st.floats(0.01, 30),
        rate=st.sampled_from([4000, 8000, 44_100]),
        events=st.lists(
            st.builds(
                lambda label, start_s, length_s, *rest: Event(
                    label, start_s, start_s + length_s, *rest
                ),
                st.sampled_from([*EVENT_LABELS, "Roar"]),
                st.floats(-10, 30),
                st.floats(0.01, 10),
                HZ,
                HZ,
                st.booleans(),
                st.none() | st.integers(1, 50),
                st.none() | st.floats(-20, 60),
                st.sampled_from(["", "faint"]),
            ),
            max_size=3,
        ).map(tuple),
        site=st.none() | NAMES,
        start_s=st.none() | st.floats(0, 90_000),
        start_time=st.none()
        | st.datetimes(datetime(2000, 1, 1), datetime(2099, 1, 1), timezones=st.just(UTC)),  # noqa: DTZ001
        sha256=st.sampled_from(["", "ab" * 32]),
    ),
    max_size=4,
)


@settings(max_examples=50)
@given(CLIPS)
def test_a_clip_set_is_read_as_it_was_written(
    tmp_path_factory: pytest.TempPathFactory, clips: list[Clip]
) -> None:
    folder = tmp_path_factory.getbasetemp()
    placed = [replace(clip, path=folder / clip.path) for clip in clips]
    write_clips(folder / "clips.parquet", placed)
    assert read_clips(folder / "clips.parquet") == placed
    assert read_clips(folder / "clips.parquet", "test") == [
        clip for clip in placed if clip.split == "test"
    ]


def test_a_clip_set_can_be_moved(tmp_path: Path) -> None:
    (tmp_path / "here").mkdir()
    write_clips(
        tmp_path / "here" / "clips.parquet",
        [Clip(tmp_path / "here" / "a" / "b.wav", "train", "r", 1.0, 4000, ())],
    )
    (tmp_path / "here").rename(tmp_path / "there")
    assert [clip.path for clip in read_clips(tmp_path / "there" / "clips.parquet")] == [
        tmp_path / "there" / "a" / "b.wav"
    ]


def one_line(error: pytest.ExceptionInfo[Exception], path: Path) -> str:
    message = str(error.value)
    assert message.startswith(f"{path}: ")
    assert "\n" not in message
    return message


def test_a_missing_clip_set_is_told_with_the_way_to_one(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError) as error:
        read_clips(tmp_path / "clips.parquet")
    assert "loxo prepare" in one_line(error, tmp_path / "clips.parquet")


def test_a_table_that_is_no_clip_set_is_told_by_what_it_lacks(tmp_path: Path) -> None:
    pl.DataFrame({"path": ["a.wav"], "split": ["train"], "seconds": [1.0]}).write_parquet(
        tmp_path / "other.parquet"
    )
    with pytest.raises(ValueError, match="lacks the columns group, rate, events, site") as error:
        read_clips(tmp_path / "other.parquet")
    one_line(error, tmp_path / "other.parquet")


def test_a_file_that_is_no_table_is_told(tmp_path: Path) -> None:
    (tmp_path / "clips.parquet").write_text("Selection\tView\n1\tSpectrogram\n")
    with pytest.raises(ValueError, match="not a Parquet file") as error:
        read_clips(tmp_path / "clips.parquet")
    one_line(error, tmp_path / "clips.parquet")


def test_a_clip_outside_the_folder_of_its_set_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"clock\.wav"):
        write_clips(
            tmp_path / "clips.parquet",
            [Clip(tmp_path.parent / "clock.wav", "train", "r", 1.0, 4000, ())],
        )
    assert list(tmp_path.iterdir()) == []
