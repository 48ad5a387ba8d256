"""Options of the preparation: from files and the command line, one plan of windows for all steps,
and labels of the user's own."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest
import yaml
from typer.testing import CliRunner

from loxo.cli import app
from loxo.cli.prepare import OPTIONS, STEP_OPTIONS
from loxo.clips import read_clips
from loxo.events import Event
from loxo.preparation import STEPS, PrepareSettings, read_training_table
from loxo.preparation.windows import recording_windows
from loxo.settings import SettingsError, read_yaml, validate
from preparation_fixtures import NAME, Trial

pytest_plugins = ("preparation_fixtures",)

CONFIG = Path(__file__).parents[1] / "configs" / "prepare.yaml"


def run(trial: Trial, *arguments: str) -> str:
    """Output of `loxo prepare`, with the data folder of a trial."""
    command = ["prepare", *arguments, "--data", str(trial.folder.root)]
    done = CliRunner().invoke(app, command, catch_exceptions=False)
    assert done.exit_code == 0, done.output
    return done.output


# ---- options


def test_the_command_line_has_the_options_of_the_settings() -> None:
    assert {step: set(options) for step, options in STEP_OPTIONS.items()} == {
        step: set(options) for step, options in STEPS.items()
    }
    assert set(OPTIONS) - {"config", "change"} == set(PrepareSettings.model_fields)


def test_the_help_shows_the_defaults_of_the_settings() -> None:
    defaults = PrepareSettings()
    for name, (_, declaration) in OPTIONS.items():
        default = getattr(defaults, name, None)
        if isinstance(default, int | float) and not isinstance(default, bool):
            assert declaration.show_default == str(default), name
    assert OPTIONS["labels"][1].show_default == ",".join(defaults.labels)
    assert OPTIONS["split_by"][1].show_default == defaults.split_by


def test_the_example_holds_the_defaults() -> None:
    settings = validate(PrepareSettings, read_yaml(CONFIG))
    own = {"recordings", "tables", "timezone"}
    assert settings.model_dump(exclude=own) == PrepareSettings().model_dump(exclude=own)


def test_an_option_wins_over_set_and_set_over_the_file(trial: Trial) -> None:
    trial.add(NAME, [Event("Rumble", 30, 34)])
    config = trial.root / "own.yaml"
    options = {"recordings": str(trial.root / "recordings"), "tables": str(trial.root / "tables")}
    config.write_text(yaml.safe_dump({**options, "clip_length": 5, "rate": 500, "ratio": 0}))
    changes = ["--config", str(config), "--set", "clip_length=6", "--set", "ratio=2.0"]
    run(trial, "all", *changes, "--clip-length", "7")
    clips = read_clips(trial.folder.resampled)
    assert Counter(round(clip.seconds, 6) for clip in clips) == {7.0: 3}
    assert {clip.rate for clip in clips} == {500}
    assert (
        run(trial, "--config", str(config), "all", *changes[2:], "--clip-length", "7").count(
            "cached"
        )
        == 4
    )


@pytest.mark.parametrize(
    ("content", "told"),
    [
        ({"clip_lenght": 3}, "clip_lenght: no such key; did you mean clip_length?"),
        ({"ratio": -1}, "ratio: Input should be greater than or equal to 0, not -1"),
        ({"labels": "Rumble,rumble"}, "labels: Rumble, rumble: a label is given twice"),
        ({"labels": ["../x"]}, "labels: '../x' cannot be a label"),
        ({"labels": []}, "labels: no label is given"),
        ({"labels": ["Background"]}, "labels: 'Background' cannot be a label"),
        ({"timezone": "Congo"}, "timezone: Congo: no such zone"),
        ({"validation": 0.6, "test": 0.6}, "leave nothing to train"),
    ],
)
def test_a_wrong_option_is_one_line(content: dict[str, object], told: str) -> None:
    with pytest.raises(SettingsError) as error:
        validate(PrepareSettings, content)
    assert told in str(error.value)
    assert "\n" not in str(error.value)


def test_names_of_files_are_no_markup(trial: Trial) -> None:
    name = "[bold]x_20180126_000000"
    trial.path(name).write_bytes(b"no sound")
    trial.mark(name, [Event("Rumble", 30, 34)])
    trial.add(NAME, [Event("Rumble", 30, 34)])
    output = run(
        trial,
        "table",
        *("--recordings", str(trial.root / "recordings")),
        *("--tables", str(trial.root / "tables")),
    )
    assert "[bold]x_2018" in output


# ---- one plan


@pytest.mark.parametrize("marginal", [True, False])
def test_there_is_as_much_background_as_events_whatever_is_cut(
    trial: Trial, marginal: bool
) -> None:
    """Events in doubt have background only if they have clips."""
    starts = [30, 80, 130, 180]
    events = [Event("Rumble", s, s + 4, marginal=s > 50) for s in starts]
    trial.add(NAME, events, 1000.0)
    trial.table()
    n_background = len(trial.background(marginal=marginal))
    clips = trial.clips(marginal=marginal)
    assert n_background == sum(not clip.events for clip in clips) == (4 if marginal else 1)
    assert sum(bool(clip.events) for clip in clips) == n_background
    assert not any("loxo prepare background" in note for note in trial.report.notes)


def test_clips_are_the_windows_that_background_counts(trial: Trial) -> None:
    trial.add(NAME, [Event("Rumble", s, s + 4) for s in (30, 36, 80, 200)])
    trial.table()
    settings = trial.settings(clip_length=15.0)
    (recording,) = read_training_table(trial.folder.table)
    windows = recording_windows(recording, settings)
    starts = [clip.start_s for clip in trial.clips(clip_length=15.0)]
    assert starts == [window.start / recording.rate for window in windows]


def test_background_for_other_clips_is_noted(trial: Trial) -> None:
    trial.add(NAME, [Event("Rumble", 30, 34), Event("Rumble", 80, 84, marginal=True)])
    trial.table()
    trial.background()
    trial.clips(marginal=False)
    (note,) = [note for note in trial.report.notes if "loxo prepare background" in note]
    assert note.startswith("background was drawn with marginal True, clips are cut with False")


def test_headers_are_read_by_the_first_step_only(trial: Trial) -> None:
    trial.add(NAME, [Event("Rumble", 30, 34)])
    trial.add("nn01b_20180126_000000", [])
    trial.table()
    one, _ = read_training_table(trial.folder.table)
    assert (one.rate, one.samples, one.channels) == (1000, 300_000, 1)
    trial.path("nn01b_20180126_000000").unlink()
    assert {site for site, *_ in trial.background(ratio=20)} == {"nn01a", "nn01b"}


def test_a_recording_that_cannot_be_opened_is_told_by_each_step(trial: Trial) -> None:
    trial.add(NAME, [Event("Rumble", 30, 34)])
    trial.path("nn01b_20180126_000000").write_bytes(b"no sound")
    trial.mark("nn01b_20180126_000000", [Event("Rumble", 30, 34)])
    assert any("no sound" in note or "nn01b" in note for note in trial.table().notes)
    trial.background()
    assert trial.report.skipped == "1 recording"
    assert len([clip for clip in trial.clips() if clip.events]) == 1
    assert trial.report.skipped == "1 segment"


# ---- labels


def test_labels_are_those_of_the_settings(trial: Trial) -> None:
    names = [f"nn0{k}a_20180126_000000" for k in range(3)]
    for name in names:
        events = [Event("Rumble", 30, 34), Event("Gunshot", 100, 101), Event("Saw", 200, 210)]
        trial.add(name, events)
    trial.table(map=("saw=Chainsaw",))
    three = {"labels": ("Rumble", "Gunshot", "Chainsaw")}
    trial.background(**three)
    clips = trial.clips(**three)
    labels = Counter(clip.path.relative_to(trial.folder.root).parts[1] for clip in clips)
    assert labels == {"Rumble": 3, "Gunshot": 3, "Chainsaw": 3, "Background": 9}
    assert {clip.split for clip in clips} == {"train", "validation", "test"}
    two = trial.clips()
    assert Counter(label for clip in two for label in clip.labels) == {"Rumble": 3, "Gunshot": 3}


def test_a_table_of_names_is_a_map_and_its_change_is_seen(trial: Trial) -> None:
    trial.add(NAME, [Event("tir", 30, 31), Event("Rumble", 100, 104)])
    names = trial.root / "names.csv"
    names.write_text("tir,Gunshot\n")
    trial.table(map=(str(names),))
    assert trial.events() == {f"{NAME}.wav": [("Gunshot", 30.0), ("Rumble", 100.0)]}
    names.write_text("tir,Knock\n")
    assert not trial.table(map=(str(names),)).cached
    assert trial.events() == {f"{NAME}.wav": [("Knock", 30.0), ("Rumble", 100.0)]}
