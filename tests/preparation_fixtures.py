"""A folder of recordings and tables, and the steps of the preparation in it.

Used with `pytest_plugins = ("preparation_fixtures",)`; hence PYTEST_DONT_REWRITE.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
import soundfile
from numpy.typing import NDArray

from loxo.annotations import write_events
from loxo.clips import Clip, read_clips
from loxo.events import Event
from loxo.preparation import (
    Folder,
    PrepareSettings,
    Report,
    TrainingRecording,
    cut_clips,
    draw_background,
    make_table,
    read_training_table,
    resample_clips,
)
from loxo.preparation.background import read_background
from loxo.storage import Storage

__all__ = ["NAME", "Trial", "trial"]

NAME = "nn01a_20180126_000000"


class Trial:
    """A folder with recordings and tables, and the steps in it."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.storage = Storage()
        self.folder = Folder.at(root / "data")
        self.report = Report("", "", "")
        for name in ("recordings", "tables"):
            (root / name).mkdir()

    def path(self, name: str = NAME, suffix: str = ".wav") -> Path:
        path = self.root / "recordings" / f"{name}{suffix}"
        path.parent.mkdir(parents=True, exist_ok=True)
        return path

    def add(
        self, name: str, events: list[Event], seconds: float = 300.0, *, rate: int = 1000
    ) -> NDArray[np.int16]:
        """Noise, and a table of its events."""
        samples = (
            1000 * np.random.default_rng(len(events)).standard_normal(round(seconds * rate))
        ).astype(np.int16)
        soundfile.write(self.path(name), samples, rate)
        self.mark(name, events)
        return samples

    def mark(self, name: str, events: list[Event], table: str = "") -> None:
        path = self.root / "tables" / f"{table or name}.selections.txt"
        path.parent.mkdir(parents=True, exist_ok=True)
        write_events(path, events, f"{Path(name).name}.wav")

    def settings(self, **options: Any) -> PrepareSettings:
        recordings, tables = str(self.root / "recordings"), str(self.root / "tables")
        return PrepareSettings(recordings=(recordings,), tables=(tables,), **options)

    def table(self, **options: Any) -> Report:
        return make_table(self.folder, self.settings(**options), self.storage)

    def background(self, **options: Any) -> list[tuple[str, float, float]]:
        """Site, start and end of what is drawn."""
        self.report = draw_background(self.folder, self.settings(**options))
        return [
            (Path(url).stem[:5], start_s, end_s)
            for url, start_s, end_s in read_background(self.folder.background)
        ]

    def clips(self, **options: Any) -> list[Clip]:
        self.report = cut_clips(self.folder, self.settings(**options), self.storage)
        return read_clips(self.folder.clips)

    def resampled(self, rate: int) -> Report:
        return resample_clips(self.folder, self.settings(rate=rate))

    def events(self) -> dict[str, list[tuple[str, float]]]:
        """Label and start of each event of the training table, by the recording's path."""
        found = read_training_table(self.folder.table)
        return {self.below(r): [(e.label, e.start_s) for e in r.events] for r in found}

    def below(self, recording: TrainingRecording) -> str:
        """Path of a recording below the folder of the recordings."""
        return Path(recording.url).relative_to(self.root / "recordings").as_posix()

    def unmatched(self) -> list[str]:
        """Lines of `unmatched.tsv`."""
        return (self.folder.root / "unmatched.tsv").read_text(encoding="utf-8").splitlines()[1:]

    def lost(self) -> list[str]:
        return pl.read_csv(self.folder.root / "skipped.tsv", separator="\t")["reason"].to_list()


@pytest.fixture
def trial(tmp_path: Path) -> Trial:
    return Trial(tmp_path)
