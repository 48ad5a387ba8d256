"""Tables find their recordings whatever files are called: equal names at several sites, other
spellings of a path, and names that fit several recordings."""

from __future__ import annotations

import json
import unicodedata
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Literal

import numpy as np
import polars as pl
import pytest
import soundfile

from loxo.events import Event
from loxo.preparation import PreparationError, read_training_table
from preparation_fixtures import Trial

pytest_plugins = ("preparation_fixtures",)

MOTH = "20210722_000000"
"""AudioMoths name files by the time alone, so all that start together have equal names."""
RAVEN = (
    "Selection\tView\tChannel\tBegin Time (s)\tEnd Time (s)\tLow Freq (Hz)\tHigh Freq (Hz)\t"
    "Begin Path\tFile Offset (s)\tBegin File\tTags\n"
)


def record(trial: Trial, *names: str, seconds: float = 60.0) -> None:
    for number, name in enumerate(names):
        noise = np.random.default_rng(number).standard_normal(round(seconds * 1000))
        soundfile.write(trial.path(name, ""), (1000 * noise).astype(np.int16), 1000, format="WAV")


def raven(trial: Trial, rows: Sequence[tuple[str, str, float]], name: str = "survey.txt") -> None:
    """A table over several files: Begin Path, Begin File and start of each row."""
    lines = [
        f"{n}\tSpectrogram 1\t1\t{start}\t{start + 1}\t10\t200\t{path}\t{start}\t{file}\tGunshot\n"
        for n, (path, file, start) in enumerate(rows, start=1)
    ]
    (trial.root / "tables" / name).write_text(RAVEN + "".join(lines), encoding="utf-8")


def test_begin_path_counts_where_begin_file_is_not_unique(trial: Trial) -> None:
    record(trial, f"siteA/{MOTH}.WAV", f"siteB/{MOTH}.WAV")
    paths = [f"E:\\survey\\site{site}\\{MOTH}.WAV" for site in "AB"]
    raven(trial, [(paths[0], f"{MOTH}.WAV", 20.0), (paths[1], f"{MOTH}.WAV", 40.0)])
    trial.table()
    assert trial.events() == {
        f"siteA/{MOTH}.WAV": [("Gunshot", 20.0)],
        f"siteB/{MOTH}.WAV": [("Gunshot", 40.0)],
    }
    assert trial.unmatched() == []


def test_rows_of_a_site_whose_recording_is_missing_go_to_no_other(trial: Trial) -> None:
    record(trial, f"siteA/{MOTH}.WAV", "siteA/20210722_010000.WAV")
    paths = [f"E:\\survey\\site{site}\\{MOTH}.WAV" for site in "AB"]
    raven(trial, [(paths[0], f"{MOTH}.WAV", 20.0), (paths[1], f"{MOTH}.WAV", 40.0)])
    report = trial.table()
    assert trial.events() == {f"siteA/{MOTH}.WAV": [("Gunshot", 20.0)]}
    assert trial.unmatched() == [f"no such recording\t{paths[1]}\t1"]
    assert any(paths[1] in note for note in report.notes)


def test_the_folder_of_a_table_counts(trial: Trial) -> None:
    """With events at the same times in both, and with one of them searched and found empty."""
    record(trial, *(f"site{site}/{MOTH}.WAV" for site in "ABC"))
    for site in "AB":
        trial.mark(MOTH, [Event("Gunshot", 20, 21)], f"site{site}/{MOTH}")
    trial.mark(MOTH, [], f"siteC/{MOTH}")
    report = trial.table()
    assert trial.events() == {
        f"siteA/{MOTH}.WAV": [("Gunshot", 20.0)],
        f"siteB/{MOTH}.WAV": [("Gunshot", 20.0)],
        f"siteC/{MOTH}.WAV": [],
    }
    assert report.wrote == "2 Gunshot; 3 recordings, 1 of them empty"
    assert all(recording.searched for recording in read_training_table(trial.folder.table))


def test_a_name_that_fits_two_recordings_is_told_with_both(trial: Trial) -> None:
    record(trial, f"siteA/{MOTH}.WAV", f"siteB/{MOTH}.WAV", "nn01a_20180126_000000.wav")
    trial.mark("nn01a_20180126_000000", [Event("Rumble", 30, 34)])
    trial.mark(MOTH, [Event("Gunshot", 20, 21), Event("Gunshot", 40, 41)], "survey")
    report = trial.table()
    assert list(trial.events()) == ["nn01a_20180126_000000.wav"]
    (line,) = trial.unmatched()
    both = [(trial.root / "recordings" / f"site{s}" / f"{MOTH}.WAV").as_posix() for s in "AB"]
    assert line == f"fits several recordings: {both[0]} and {both[1]}\t{MOTH}.wav\t2"
    assert any(all(path in note for path in both) for note in report.notes)
    assert report.skipped == "2 rows"


def test_nothing_but_ambiguous_names_is_refused_with_the_remedy(trial: Trial) -> None:
    record(trial, f"siteA/{MOTH}.WAV", f"siteB/{MOTH}.WAV")
    trial.mark(MOTH, [Event("Gunshot", 20, 21)], "survey")
    with pytest.raises(PreparationError, match=r"fits 2 recordings .*Begin Path") as error:
        trial.table()
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("form", ["NFC", "NFD"])
@pytest.mark.parametrize("case", [str.upper, str.lower])
def test_spelling_of_letters_does_not_count(
    trial: Trial, form: Literal["NFC", "NFD"], case: Callable[[str], str]
) -> None:
    other: Literal["NFC", "NFD"] = "NFD" if form == "NFC" else "NFC"
    name = unicodedata.normalize(form, "Forêt_20180126_000000")
    record(trial, f"{name}.wav", f"siteA/{MOTH}.WAV", f"siteB/{MOTH}.WAV")
    spelt = case(unicodedata.normalize(other, name))
    raven(
        trial,
        [
            ("", f"{spelt}.WAV", 10.0),
            (case(f"E:\\SiteB\\{MOTH}.wav"), case(f"{MOTH}.wav"), 40.0),
        ],
    )
    trial.table()
    assert trial.events() == {
        f"{name}.wav": [("Gunshot", 10.0)],
        f"siteB/{MOTH}.WAV": [("Gunshot", 40.0)],
    }


def test_clips_of_equal_names_share_no_file(trial: Trial) -> None:
    names = [f"siteA/{MOTH}.WAV", f"siteB/{MOTH}.WAV", "siteB_x.wav", "siteB/x.wav", "siteB/X.wav"]
    record(trial, *names)
    raven(trial, [(f"E:\\{name}", Path(name).name, 20.0) for name in names])
    trial.table()
    clips = trial.clips()
    assert len(clips) == len({str(clip.path).casefold() for clip in clips}) == len(names)
    assert {clip.path.relative_to(trial.folder.root).parts[:2] for clip in clips} == {
        ("clips", "Gunshot")
    }
    assert all(clip.path.is_file() for clip in clips)
    clip = next(clip for clip in clips if clip.group.endswith(f"siteA/{MOTH}.WAV"))
    assert clip.path.parent.name == "siteA"
    assert clip.path.name.startswith(f"{MOTH}__")


# ---- sites


def moths(trial: Trial, folders: Sequence[str]) -> None:
    for folder in folders:
        for hour in range(3):
            name = f"{folder}/20210722_0{hour}0000"
            record(trial, f"{name}.WAV")
            trial.mark(name, [Event("Gunshot", 20, 21)])


def sites(trial: Trial) -> dict[str, str | None]:
    """Site by the path of the recording's folder."""
    recordings = read_training_table(trial.folder.table)
    return {Path(trial.below(r)).parent.as_posix(): r.site for r in recordings}


def test_the_folder_is_the_site_where_the_name_has_none(trial: Trial) -> None:
    moths(trial, ["siteA", "siteB", "siteC"])
    trial.table()
    assert sites(trial) == {"siteA": "siteA", "siteB": "siteB", "siteC": "siteC"}
    clips = trial.clips(split_by="site", validation=0.3, test=0.3)
    splits = {clip.site: clip.split for clip in clips}
    assert all(clip.split == splits[clip.site] for clip in clips)
    assert set(splits.values()) == {"train", "validation", "test"}


def test_sites_come_from_a_level_of_folders(trial: Trial) -> None:
    moths(trial, ["A/card1", "A/card2", "B/card1"])
    trial.table(site_from="1")
    assert sites(trial) == {"A/card1": "A", "A/card2": "A", "B/card1": "B"}
    trial.table(site_from="-1")
    assert sites(trial) == {"A/card1": "card1", "A/card2": "card2", "B/card1": "card1"}


def test_sites_come_from_a_table(trial: Trial) -> None:
    moths(trial, ["A", "B"])
    table = trial.root / "sites.csv"
    table.write_text("folder,site\nA,clearing\nB,river\n")
    trial.table(site_from=str(table))
    assert sites(trial) == {"A": "clearing", "B": "river"}
    table.write_text("folder,site\nA,clearing\nB,camp\n")
    assert not trial.table(site_from=str(table)).cached
    assert sites(trial) == {"A": "clearing", "B": "camp"}


def test_recordings_without_a_site_are_not_split_by_site(trial: Trial) -> None:
    moths(trial, ["A", "B"])
    with pytest.raises(ValueError, match="--site-from: no recording gets a site"):
        trial.table(site_from="2")  # there is only one level of folders
    sites = trial.root / "sites.csv"
    sites.write_text("folder,site\nA,A\n")
    trial.table(site_from=str(sites))
    with pytest.raises(ValueError, match=r"3 recordings without a site, such as .*--site-from"):
        trial.clips(split_by="site")
    assert pl.read_parquet(trial.folder.table)["site"].null_count() == 3


def test_one_site_cannot_be_split_by_site(trial: Trial) -> None:
    moths(trial, ["A"])
    trial.table()
    with pytest.raises(
        PreparationError, match=r"all 3 recordings are of the site 'A'.*--site-from"
    ):
        trial.clips(split_by="site")


def test_what_a_run_found_is_no_truth(trial: Trial) -> None:
    record(trial, "siteA/x.wav")
    tables = trial.root / "tables"
    raven(trial, [("x.wav", "x.wav", 20.0)])
    found = "Begin Time (s)\tEnd Time (s)\tTags\n5\t6\tGunshot\n"
    (tables / "siteA").mkdir()
    (tables / "siteA" / "x.selections.txt").write_text(found, encoding="utf-8")
    trial.table()
    assert trial.events()["siteA/x.wav"] == [("Gunshot", 5.0), ("Gunshot", 20.0)]
    journal = json.dumps({"path": "siteA/x.wav", "table": "siteA/x.selections.txt"})
    (tables / "journal.jsonl").write_text(journal + "\n", encoding="utf-8")
    trial.table()
    assert trial.events()["siteA/x.wav"] == [("Gunshot", 20.0)]
    (tables / "survey.txt").unlink()
    trial.table()
    assert trial.events()["siteA/x.wav"] == [("Gunshot", 5.0)]
