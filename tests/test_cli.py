"""The command as its users call it: a process, its exit status, its output and its files."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from importlib import metadata
from pathlib import Path

import numpy as np
import polars as pl
import pytest
import soundfile

LOXO = Path(sys.executable).with_name("loxo")


def loxo(*arguments: object, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [LOXO, *map(str, arguments)], capture_output=True, text=True, check=False, cwd=cwd
    )


@pytest.fixture(scope="module")
def recordings(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two simulated recordings of three minutes, with their tables."""
    folder = tmp_path_factory.mktemp("simulated")
    done = loxo("simulate", "--output", folder, "--hours", 0.05, "--recordings", 2, "--seed", 3)
    assert done.returncode == 0, done.stderr
    return folder


def one_line(process: subprocess.CompletedProcess[str], status: int) -> str:
    """The error of a process that ended with a status: one line, and no traceback."""
    assert process.returncode == status, process.stderr
    lines = process.stderr.splitlines()
    assert len(lines) == 1, process.stderr
    assert lines[0].startswith("loxo: ")
    return lines[0]


def test_simulate_detect_evaluate(recordings: Path, tmp_path: Path) -> None:
    detected = loxo(
        "detect",
        recordings,
        "--output",
        tmp_path / "out",
        "--format",
        "raven,audacity,csv,parquet",
        "--draw",
    )
    assert detected.returncode == 0, detected.stderr
    assert "2 of 2 recordings" in detected.stdout
    stems = [path.stem for path in sorted(recordings.glob("*.flac"))]
    for stem in stems:
        assert (tmp_path / "out" / f"{stem}.selections.txt").is_file()
        assert (tmp_path / "out" / f"{stem}.audacity.txt").is_file()
        assert (tmp_path / "out" / f"{stem}.png").read_bytes().startswith(b"\x89PNG")
    run = json.loads((tmp_path / "out" / "run.json").read_text())
    assert run["audio_seconds"] == pytest.approx(360)
    assert pl.read_parquet(tmp_path / "out" / "detections.parquet").height == sum(
        entry["detections"] for entry in run["recordings"]
    )

    evaluated = loxo(
        "evaluate",
        "--truth",
        recordings,
        "--detections",
        tmp_path / "out",
        "--json",
        tmp_path / "figures.json",
    )
    assert evaluated.returncode == 0, evaluated.stderr
    figures = json.loads((tmp_path / "figures.json").read_text())
    assert figures["audio_seconds"] == pytest.approx(360)
    for label in ("Rumble", "Gunshot"):
        assert set(figures["classes"][label]) == {"overlap10", "one_to_one", "per_second"}
        agreed = {
            "precision",
            "recall",
            "f1",
            "false_positives_per_hour",
            "true_events",
            "detections",
        }
        assert agreed <= set(figures["classes"][label]["overlap10"])


def test_detect_finds_most_of_what_was_simulated(tmp_path: Path) -> None:
    made = loxo(
        "simulate",
        "--output",
        tmp_path / "in",
        "--hours",
        0.1,
        "--recordings",
        8,
        "--seed",
        11,
        "--events-per-hour",
        120,
    )
    assert made.returncode == 0
    assert loxo("detect", tmp_path / "in", "--output", tmp_path / "out").returncode == 0
    arguments = [
        "--truth",
        tmp_path / "in",
        "--detections",
        tmp_path / "out",
        "--json",
        tmp_path / "figures.json",
    ]
    assert loxo("evaluate", *arguments).returncode == 0
    classes = json.loads((tmp_path / "figures.json").read_text())["classes"]
    for label in ("Rumble", "Gunshot"):
        assert classes[label]["overlap10"]["true_events"] >= 50
        assert classes[label]["overlap10"]["f1"] >= 0.5


def test_the_same_seed_gives_the_same_recording(tmp_path: Path) -> None:
    for name in ("a", "b"):
        assert (
            loxo("simulate", "--output", tmp_path / name, "--hours", 0.02, "--seed", 5).returncode
            == 0
        )
    first, second = (
        sorted(path.read_bytes() for path in (tmp_path / name).iterdir()) for name in ("a", "b")
    )
    assert first == second


def test_a_clip_set_for_training(tmp_path: Path) -> None:
    soundfile.write(
        tmp_path / "forest.wav", 0.01 * np.random.default_rng(0).normal(size=80_000), 8000
    )
    done = loxo(
        "simulate",
        "--output",
        tmp_path / "set",
        "--clips",
        10,
        "--background",
        tmp_path / "forest.wav",
    )
    assert done.returncode == 0, done.stderr
    assert "10 clips with 1 real background in" in done.stdout
    assert pl.read_parquet(tmp_path / "set" / "clips.parquet").height == 10


def test_thresholds_change_what_is_found(recordings: Path, tmp_path: Path) -> None:
    counts = []
    for threshold in (0.001, 1.0):
        output = tmp_path / str(threshold)
        limits = [f"--threshold=Rumble={threshold}", f"--threshold=Gunshot={threshold}"]
        assert loxo("detect", recordings, "--output", output, *limits).returncode == 0
        counts.append(pl.read_parquet(output / "detections.parquet").height)
    assert counts[0] > counts[1]
    assert counts[1] <= 2


def test_models_are_listed() -> None:
    done = loxo("models")
    assert done.returncode == 0
    assert done.stdout.startswith("tcn ")
    assert "4000 Hz" in done.stdout


@pytest.mark.parametrize("command", ["", "simulate", "train", "detect", "evaluate", "models"])
def test_every_command_has_help(command: str) -> None:
    done = loxo(*command.split(), "--help")
    assert done.returncode == 0
    assert "Usage:" in done.stdout


WRONG_USAGE = {
    "no command": ((), "Missing command"),
    "no step": (("prepare",), "Missing command"),
    "unknown command": (("hunt",), "hunt"),
    "unknown option": (("models", "--fast"), "--fast"),
    "missing output": (("detect", "x.wav"), "output"),
    "unknown model": (("detect", "x.wav", "--output", "out", "--model", "bigger"), "bigger"),
    "unknown label": (("detect", "x.wav", "--output", "out", "--threshold", "Roar=0.5"), "Roar"),
    "threshold above 1": (
        ("detect", "x.wav", "--output", "out", "--threshold", "Rumble=1.5"),
        "1.5",
    ),
    "threshold no number": (
        ("detect", "x.wav", "--output", "out", "--threshold", "Rumble=high"),
        "high",
    ),
    "length of an unknown label": (
        ("detect", "x.wav", "--output", "out", "--minimum", "Roar=1"),
        "Roar",
    ),
    "length without end": (
        ("detect", "x.wav", "--output", "out", "--minimum", "Rumble=inf"),
        "not a finite number",
    ),
    "length below 0": (("detect", "x.wav", "--output", "out", "--merge-gap", "Rumble=-1"), "-1"),
    "output that is a file": (("detect", "x.wav", "--output", "plain.txt"), "plain.txt"),
    "level that is not there": (
        ("detect", "x.wav", "--output", "out", "--site-from", "99"),
        "--site-from",
    ),
    "output on S3": (("detect", "x.wav", "--output", "s3://bucket/out"), "s3://bucket/out"),
    "recordings on S3": (("detect", "s3://bucket/in", "--output", "out"), "s3://bucket/in"),
    "level 0 of folders": (("detect", "x.wav", "--output", "out", "--site-from", "0"), "0"),
    "root beside the recordings": (
        ("detect", "x.wav", "--output", "out", "--root", "elsewhere"),
        "elsewhere",
    ),
    "unknown format": (("detect", "x.wav", "--output", "out", "--format", "xlsx"), "xlsx"),
    "unknown zone": (
        ("detect", "x.wav", "--output", "out", "--timezone", "Africa/Atlantis"),
        "Africa/Atlantis",
    ),
    "folder of zones": (
        ("detect", "x.wav", "--output", "out", "--timezone", "Africa"),
        "Etc/GMT-1",
    ),
    "channel 0": (("detect", "x.wav", "--output", "out", "--channel", "0"), "--channel"),
    "unknown key": (("train", "--config", "config.yaml"), "colour"),
    "truth without label": (
        ("evaluate", "--truth", "plain.txt", "--detections", "plain.txt", "--json", "o.json"),
        "--label",
    ),
}


@pytest.mark.parametrize("case", WRONG_USAGE)
def test_wrong_usage_is_status_2_and_one_line_with_the_value(case: str, tmp_path: Path) -> None:
    (tmp_path / "config.yaml").write_text("data: {clips: clips.parquet}\ncolour: green\n")
    header = "Selection\tView\tChannel\tBegin Time (s)\tEnd Time (s)\tLow Freq (Hz)\tHigh Freq (Hz)"
    (tmp_path / "plain.txt").write_text(f"{header}\n1\tSpectrogram 1\t1\t1.0\t2.0\t10\t100\n")
    arguments, value = WRONG_USAGE[case]
    assert value in one_line(loxo(*arguments, cwd=tmp_path), 2)


NOTHING_DONE = {
    "empty folder": (("detect", ".", "--output", "out"), "no recordings"),
    "missing file": (("detect", "missing.wav", "--output", "out"), "no recording could be read"),
    "missing clips": (("train", "--config", "config.yaml"), "no clip set there"),
}


@pytest.mark.parametrize("case", NOTHING_DONE)
def test_nothing_done_is_status_1_and_one_line(case: str, tmp_path: Path) -> None:
    (tmp_path / "config.yaml").write_text(
        f"data: {{clips: clips.parquet}}\noutput: {tmp_path / 'run'}\n"
    )
    arguments, text = NOTHING_DONE[case]
    assert text in one_line(loxo(*arguments, cwd=tmp_path), 1)


def test_the_version_is_printed() -> None:
    done = loxo("--version")
    assert (done.returncode, done.stdout) == (0, f"loxo {metadata.version('loxo')}\n")


def test_names_are_shown_as_they_are(tmp_path: Path) -> None:
    names = ["rec [site a].wav", "a:bird:b.wav", "[bold]c.wav"]
    for name in names:
        soundfile.write(tmp_path / name, np.zeros(8000), 8000)
    (tmp_path / "notes.wav").write_text("[/b] notes of the deployment\n")
    done = loxo("detect", tmp_path, "--output", tmp_path / "out")
    assert done.returncode == 0, done.stderr
    for name in names:
        assert f"{tmp_path}/{name}: 0 Rumble, 0 Gunshot" in done.stdout
    assert "3 of 4 recordings" in done.stdout


def test_skipped_recordings_are_status_3_if_the_user_is_strict(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "good.wav", np.zeros(8000), 8000)
    (tmp_path / "bad.wav").touch()
    arguments = ("detect", tmp_path, "--output", tmp_path / "out")
    assert loxo(*arguments).returncode == 0
    assert "1 of 2 recordings were skipped" in one_line(loxo(*arguments, "--strict"), 3)
    (tmp_path / "bad.wav").unlink()
    assert loxo(*arguments, "--strict").returncode == 0


def test_another_root_into_the_same_output_is_refused(tmp_path: Path) -> None:
    for card in ("card1", "card2"):
        (tmp_path / card / "rec").mkdir(parents=True)
        soundfile.write(tmp_path / card / "rec" / "x.wav", np.zeros(8000), 8000)
    # The names are equal; the folders are not.
    arguments = ("detect", "rec", "--output", tmp_path / "out")
    assert loxo(*arguments, cwd=tmp_path / "card1").returncode == 0
    assert "another --output" in one_line(loxo(*arguments, cwd=tmp_path / "card2"), 2)
    assert loxo(*arguments, cwd=tmp_path / "card1").returncode == 0


def test_other_thresholds_need_no_recordings_but_pictures_do(
    recordings: Path, tmp_path: Path
) -> None:
    here = tmp_path / "in"
    here.mkdir()
    for path in recordings.glob("*.flac"):
        os.link(path, here / path.name)
    arguments = ("detect", here, "--output", tmp_path / "out")
    assert loxo(*arguments).returncode == 0
    assert list((tmp_path / "out").glob("*.scores"))
    drawn = loxo(*arguments, "--draw")
    assert drawn.stdout.count("resumed") == 2
    assert len(list((tmp_path / "out").glob("*.png"))) == 2
    for path in here.iterdir():
        path.unlink()
    options = ("--threshold", "Rumble=0.9", "--minimum", "Rumble=1", "--merge-gap", "Gunshot=60")
    again = loxo(*arguments, *options)
    assert again.returncode == 0, again.stderr
    assert again.stdout.count("rescored") == 2
    assert "some bands and counts are estimates" in again.stdout
    assert not list((tmp_path / "out").glob("*.png")), "they showed other detections"
    longer = loxo(*arguments, *options, "--draw")
    assert longer.stdout.count("not drawn") == 2
    assert "no-scores" in loxo("detect", "--help").stdout


@pytest.mark.parametrize(("sent", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_run_that_is_told_to_end_ends_and_goes_on_later(
    tmp_path: Path, sent: signal.Signals, status: int
) -> None:
    for name in "abc":
        soundfile.write(
            tmp_path / f"{name}.wav", np.zeros(8000 * (9000 if name == "c" else 1)), 8000
        )
    # Shells start background processes with SIGINT ignored, which children inherit.
    code = (
        "import signal, loxo.cli\n"
        "signal.signal(signal.SIGINT, signal.default_int_handler)\n"
        "loxo.cli.main()\n"
    )
    arguments = ["detect", tmp_path, "--output", tmp_path / "out"]
    command = [sys.executable, "-c", code, *map(str, arguments)]
    run = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    journal = tmp_path / "out" / "journal.jsonl"
    while run.poll() is None and not (journal.exists() and journal.read_text().count("\n") == 2):
        time.sleep(0.01)
    run.send_signal(sent)
    _, errors = run.communicate(timeout=60)
    assert run.returncode == status, errors
    assert errors.count("\n") == 1
    assert "run the same command again" in errors
    (tmp_path / "c.wav").unlink()
    assert loxo("detect", tmp_path, "--output", tmp_path / "out").stdout.count("resumed") == 2


def test_detection_imports_no_torch(recordings: Path, tmp_path: Path) -> None:
    code = (
        "import sys\n"
        "sys.modules['torch'] = None\n"
        "sys.modules['pytorch_lightning'] = None\n"
        "from loxo.cli import main\n"
        f"sys.argv = ['loxo', 'detect', {str(recordings)!r}, '--output', {str(tmp_path)!r}]\n"
        "main()\n"
    )
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", code], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert "2 of 2 recordings" in done.stdout


def test_a_pipe_gets_lines_and_no_bar(recordings: Path, tmp_path: Path) -> None:
    done = loxo("detect", recordings, "--output", tmp_path / "out")
    assert "\x1b" not in done.stdout + done.stderr
    assert done.stderr == ""
    assert len(done.stdout.splitlines()) == 4, (
        "a line for each recording, one for the run, one for where it is"
    )
    assert os.fspath(tmp_path / "out") in done.stdout
