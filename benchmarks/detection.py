"""Measure what `loxo detect` and its parts cost for a day of audio, with the facts of the machine.

    python benchmarks/detection.py [--hours 1 24] [--turns 3] [--scaling 1 6] [--json FILE]

Each way is run as a whole process, and the ways take turns. The recording is ten simulated minutes
with events, repeated with other gains. Ways:

    detect      `loxo detect` with the packaged model
    one thread  the same without workers
    torch       the same weights in PyTorch alone: windows of 30 s, front end and network by the
                training code
    read        reading blocks of samples at the rate of the file
    front end   reading blocks of samples at the model's rate, and their features
    hubert      HuBERT-base of transformers, with random weights, on audio as if 16 times faster; on
                `HUBERT_SHARE` of the recording

On a machine that does other work as well, compare processor seconds.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

import numpy as np
import soundfile

RATE = 8000
PIECE_S = 600
HUBERT_SHARE = 1 / 24
"""Share of a recording that HuBERT is run on; its figures are multiplied up to the whole."""

OPEN = """
import os, sys
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
import loxo
recording = loxo.open_recording(sys.argv[1])
"""
READ = f"""{OPEN}
for block in recording.blocks(recording.rate):
    pass
"""
FRONT_END = f"""{OPEN}
import numpy as np
from loxo.spectrogram import log_bands, subtract_floor
front_end = loxo.load_model("tcn", threads=1).spec.front_end
rest = np.zeros(front_end.margin, np.float32)
for block in recording.blocks(front_end.rate):
    samples = np.concatenate((rest, block))
    n_frames = (len(samples) - 2 * front_end.margin) // front_end.hop
    used = n_frames * front_end.hop
    subtract_floor(log_bands(samples[: used + 2 * front_end.margin], front_end), front_end)
    rest = samples[used:]
"""
TORCH = f"""{OPEN}
from pathlib import Path
import torch
from loxo.training import build_model, read_config
# This configuration starts from the packaged weights.
model = build_model(read_config(Path("configs/finetune.yaml"))).eval()
with torch.inference_mode():
    for block in recording.blocks(model.front_end.rate):
        for window in torch.from_numpy(block).split(30 * model.front_end.rate):
            model(window[None])
"""
HUBERT = f"""{OPEN}
import torch
from transformers import HubertConfig, HubertModel
model = HubertModel(HubertConfig()).eval()
left = recording.n_samples * {HUBERT_SHARE} / (recording.rate / 1000)
with torch.inference_mode():
    for block in recording.blocks(1000, block_s=480):  # 16 times faster these are 16 kHz, and 30 s
        if left <= 0:
            break
        model(torch.from_numpy(block)[None])
        left -= len(block)
"""
PARTS = {"torch": TORCH, "read": READ, "front end": FRONT_END, "hubert": HUBERT}
Run = dict[str, float]


def write_recording(path: Path, hours: float) -> None:
    """Write a recording that repeats one simulated piece, each time with another gain."""
    from loxo.simulate import SceneSettings, scene

    settings = SceneSettings(
        rate=RATE, seconds=PIECE_S, rumbles_per_minute=1, gunshots_per_minute=1
    )
    samples, _ = scene(np.random.default_rng(3), settings)
    gains = np.random.default_rng(0).uniform(0.2, 1.0, round(hours * 3600 / PIECE_S))
    with soundfile.SoundFile(os.fspath(path), "w", RATE, 1, subtype="PCM_16", format="WAV") as out:
        for gain in gains:
            out.write(np.clip(gain * samples, -1, 1))


def write_minutes(folder: Path, count: int) -> None:
    """Write as many recordings of the same minute."""
    piece = folder / "piece.wav"
    write_recording(piece, PIECE_S / 3600)
    samples, _ = soundfile.read(piece, dtype="int16", frames=60 * RATE)
    piece.unlink()
    for number in range(count):
        soundfile.write(folder / f"minute{number:04d}.wav", samples, RATE, subtype="PCM_16")


def write_hour(path: Path, rate: int) -> None:
    """Write an hour at another rate, in the format of the name.

    Samples are left out or repeated, not resampled: only the cost of reading them matters.
    """
    hour = path.with_name("hour.wav")
    write_recording(hour, 1)
    samples, _ = soundfile.read(hour, dtype="int16")
    hour.unlink()
    soundfile.write(path, samples[::2] if rate < RATE else np.repeat(samples, rate // RATE), rate)


def in_other_process(write: Callable[..., None], *arguments: object) -> None:
    """Run a function in another process.

    What this process holds when it starts another one would count as the peak of the other.
    """
    with ProcessPoolExecutor(1, get_context("spawn")) as other:
        other.submit(write, *arguments).result()


def command(way: str, recordings: Path, output: Path) -> list[str]:
    """The command line of a way."""
    if way in PARTS:
        return [sys.executable, "-c", PARTS[way], os.fspath(recordings)]
    detect = [
        sys.executable,
        "-m",
        "loxo.cli",
        "detect",
        os.fspath(recordings),
        "--output",
        os.fspath(output),
        "--force",
    ]
    return [*detect, "--threads", "1"] if way == "one thread" else detect


def measure(arguments: Sequence[str]) -> Run:
    """Run a process; return its wall seconds, processor seconds and peak resident MB."""
    began = time.perf_counter()
    process = subprocess.Popen(arguments, stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise SystemExit(f"{' '.join(arguments)} ended with status {process.returncode}")
    return {
        "wall_s": time.perf_counter() - began,
        "cpu_s": usage.ru_utime + usage.ru_stime,
        "peak_mb": usage.ru_maxrss / 1024,
    }


def summary(runs: list[Run], share: float) -> Run:
    """Medians of runs, and the range of their processor seconds.

    Args:
        share: share of the recording that was run; seconds are those of the whole.
    """
    seconds = {
        name: statistics.median(run[name] for run in runs) / share for name in ("wall_s", "cpu_s")
    }
    spread = (max(run["cpu_s"] for run in runs) - min(run["cpu_s"] for run in runs)) / share
    return {**seconds, "cpu_spread_s": spread, "peak_mb": max(run["peak_mb"] for run in runs)}


def compare(folder: Path, hours: float, ways: Sequence[str], turns: int) -> dict[str, Run]:
    """Run each way in turn, several times; print a table."""
    recording = folder / f"day_{hours:g}h.wav"
    in_other_process(write_recording, recording, hours)
    runs: dict[str, list[Run]] = {way: [] for way in ways}
    for _ in range(turns):
        for way in ways:
            runs[way].append(measure(command(way, recording, folder / "out")))
    recording.unlink()
    found = {
        way: summary(taken, HUBERT_SHARE if way == "hubert" else 1.0) for way, taken in runs.items()
    }
    columns = ("wall s", "processor s", "range", f"relative to {ways[0]}", "peak MB")
    print(f"\n| {hours:g} h | {' | '.join(columns)} |\n{'|---' * 6}|")
    for way, run in found.items():
        seconds = f"{run['wall_s']:.1f} | {run['cpu_s']:.1f} | {run['cpu_spread_s']:.1f}"
        ratio = run["cpu_s"] / found[ways[0]]["cpu_s"]
        print(f"| {way} | {seconds} | {ratio:.2f} | {run['peak_mb']:.0f} |", flush=True)
    return found


def draw(scaling: dict[float, Run], path: Path) -> None:
    """Draw seconds and memory against length, with a line fitted to the seconds."""
    from matplotlib.figure import Figure

    hours = np.array(list(scaling))
    figure = Figure(figsize=(9, 3.5), layout="constrained")
    for axes, (key, what) in zip(
        figure.subplots(1, 2), (("wall_s", "seconds"), ("peak_mb", "peak memory, MB")), strict=True
    ):
        found = np.array([run[key] for run in scaling.values()])
        axes.plot(hours, found, "o")
        if key == "wall_s":
            slope, offset = np.polyfit(hours, found, 1)
            axes.plot(
                hours, offset + slope * hours, label=f"{offset:.1f} s + {slope:.2f} s an hour"
            )
            axes.legend()
        axes.set(xlabel="hours of audio", ylabel=what, ylim=(0, 1.2 * found.max()))
    figure.savefig(path, dpi=120)


def many_files(folder: Path, count: int) -> dict[str, Run]:
    """Measure `loxo detect` on one minute and on many files of a minute, and `loxo --help`."""
    minutes = folder / "minutes"
    minutes.mkdir()
    in_other_process(write_minutes, minutes, count)
    found = {
        "loxo --help": measure([sys.executable, "-m", "loxo.cli", "--help"]),
        "one minute": measure(command("detect", minutes / "minute0000.wav", folder / "one")),
        f"{count} files of a minute": measure(command("detect", minutes, folder / "many")),
    }
    for name, run in found.items():
        print_run(name, run)
    return found


def print_run(name: str, run: Run) -> None:
    """Print the figures of a run in one line."""
    seconds = f"{run['wall_s']:.2f} s, processor {run['cpu_s']:.2f} s"
    print(f"{name}: {seconds}, {run['peak_mb']:.0f} MB", flush=True)


def side_by_side(folder: Path, hours: int) -> dict[str, Run]:
    """Measure `loxo detect` on some hours in one recording, and in recordings of an hour."""
    whole, cut = folder / "whole.wav", folder / "cut"
    cut.mkdir()
    in_other_process(write_recording, whole, hours)
    for number in range(hours):
        in_other_process(write_recording, cut / f"hour{number}.wav", 1)
    found = {}
    for name, path in (
        (f"{hours} h in one recording", whole),
        (f"{hours} h in recordings of an hour", cut),
    ):
        run = found[name] = measure(command("detect", path, folder / "hours"))
        print_run(name, run)
    return found


def inputs(folder: Path) -> dict[str, Run]:
    """Measure `loxo detect` on an hour at other rates and in other formats."""
    found = {}
    for rate, suffix in ((RATE, "flac"), (RATE, "mp3"), (4000, "wav"), (48000, "wav")):
        path = folder / f"hour_{rate}.{suffix}"
        in_other_process(write_hour, path, rate)
        run = found[f"{rate} Hz {suffix}"] = measure(command("detect", path, folder / "inputs"))
        path.unlink()
        print_run(f"an hour of {rate} Hz {suffix}", run)
    return found


def machine() -> dict[str, object]:
    """Facts of the machine that the figures depend on."""
    from importlib import metadata

    names = [
        line.partition(":")[2].strip()
        for line in _lines(Path("/proc/cpuinfo"))
        if line.startswith("model name")
    ]
    versions = {
        name: metadata.version(name) for name in ("numpy", "scipy", "onnxruntime", "soxr", "torch")
    }
    load = os.getloadavg()[0] if hasattr(os, "getloadavg") else None
    return {
        "processor": names[:1],
        "cores": os.cpu_count(),
        "system": platform.platform(),
        "load": load,
        "versions": versions,
    }


def _lines(path: Path) -> list[str]:
    return path.read_text().splitlines() if path.is_file() else []


def main() -> None:
    """Print tables; print or write all figures as JSON at the end."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--hours", type=float, nargs="*", default=[1, 24])
    parser.add_argument("--turns", type=int, default=3)
    parser.add_argument(
        "--ways",
        nargs="+",
        choices=["detect", "one thread", *PARTS],
        default=["detect", "one thread", *PARTS],
    )
    parser.add_argument("--scaling", type=float, nargs="*", default=[1, 6, 24, 72])
    parser.add_argument("--files", type=int, default=1000)
    parser.add_argument(
        "--draw", type=Path, metavar="PNG", help="draw how seconds and memory grow with length"
    )
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    results: dict[str, object] = {"machine": machine()}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        results["ways"] = {
            hours: compare(folder, hours, options.ways, options.turns) for hours in options.hours
        }
        scaling = {
            hours: compare(folder, hours, ["detect"], options.turns)["detect"]
            for hours in options.scaling
        }
        results["scaling"] = scaling
        if options.draw is not None:
            draw(scaling, options.draw)
        if options.files:
            results["files"] = many_files(folder, options.files)
            results["side by side"] = side_by_side(folder, 8)
            results["inputs"] = inputs(folder)
    text = json.dumps(results, indent=2)
    if options.json is None:
        print(text)
    else:
        options.json.write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
