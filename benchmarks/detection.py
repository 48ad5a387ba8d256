"""What a day of audio costs: `loxo detect` and its parts, whole processes that take turns, with the facts of the machine.

    python benchmarks/detection.py [--hours 1 24] [--turns 3] [--scaling 1 6] [--json FILE]

The recording is ten simulated minutes with events, repeated with other gains. Ways:

    detect      `loxo detect` with the packaged model
    one thread  the same without workers
    torch       the same weights in plain torch: samples in windows of 30 s, picture and network by the training code
    read        blocks of samples, as they are in the file
    front end   blocks of samples at the model's rate, and their picture
    hubert      HuBERT-base of transformers, with chance weights, on audio as if speeded up 16 times; on `HUBERT_SHARE` of the recording

Processor seconds are what to compare on a machine that does other work as well.
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
"""Of a recording that HuBERT is run on; its figures are multiplied to stand for the whole."""

OPEN = """
import os, sys
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
from pathlib import Path
from loxo.recordings import open_recording
recording = open_recording(Path(sys.argv[1]))
"""
READ = f"""{OPEN}
for block in recording.blocks(recording.rate):
    pass
"""
FRONT_END = f"""{OPEN}
from loxo.checkpoints import find_model, load_spec
from loxo.scoring import feature_cores, stream_log_bands
spec = load_spec(find_model("tcn"))
front_end = spec.front_end
for core in feature_cores(stream_log_bands(recording.blocks(front_end.rate), front_end), front_end, spec.context_frames):
    pass
"""
TORCH = f"""{OPEN}
import torch
from loxo.training import build_model, read_config
model = build_model(read_config(Path("configs/finetune.yaml"))).eval()  # which begins with the packaged weights
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
    """A PCM recording of one simulated piece over and over, each time with another gain."""
    from loxo.simulate import SceneSettings, scene

    settings = SceneSettings(rate=RATE, seconds=PIECE_S, rumbles_per_minute=1, gunshots_per_minute=1)
    samples, _ = scene(np.random.default_rng(3), settings)
    gains = np.random.default_rng(0).uniform(0.2, 1.0, round(hours * 3600 / PIECE_S))
    with soundfile.SoundFile(os.fspath(path), "w", RATE, 1, subtype="PCM_16", format="WAV") as out:
        for gain in gains:
            out.write(np.clip(gain * samples, -1, 1))


def write_minutes(folder: Path, count: int) -> None:
    """As many recordings of the same minute."""
    piece = folder / "piece.wav"
    write_recording(piece, PIECE_S / 3600)
    samples, _ = soundfile.read(piece, dtype="int16", frames=60 * RATE)
    piece.unlink()
    for number in range(count):
        soundfile.write(folder / f"minute{number:04d}.wav", samples, RATE, subtype="PCM_16")


def write_hour(path: Path, rate: int) -> None:
    """An hour at a rate, in the format that the name says; its samples are left out or repeated, not resampled."""
    hour = path.with_name("hour.wav")
    write_recording(hour, 1)
    samples, _ = soundfile.read(hour, dtype="int16")
    hour.unlink()
    soundfile.write(path, samples[::2] if rate < RATE else np.repeat(samples, rate // RATE), rate)


def elsewhere(write: Callable[..., None], *arguments: object) -> None:
    """In a process of its own: what this one holds when it starts another would count as the other's peak."""
    with ProcessPoolExecutor(1, get_context("spawn")) as other:
        other.submit(write, *arguments).result()


def command(way: str, recordings: Path, output: Path) -> list[str]:
    """The process that takes a way."""
    if way in PARTS:
        return [sys.executable, "-c", PARTS[way], os.fspath(recordings)]
    detect = [sys.executable, "-m", "loxo.cli", "detect", os.fspath(recordings), "--output", os.fspath(output), "--force"]
    return [*detect, "--threads", "1"] if way == "one thread" else detect


def measure(arguments: Sequence[str]) -> Run:
    """Run a process: wall seconds, processor seconds, peak resident MB."""
    began = time.perf_counter()
    process = subprocess.Popen(arguments, stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise SystemExit(f"{' '.join(arguments)} ended with status {process.returncode}")
    return {"wall_s": time.perf_counter() - began, "cpu_s": usage.ru_utime + usage.ru_stime, "peak_mb": usage.ru_maxrss / 1024}


def summary(runs: list[Run], share: float) -> Run:
    """Medians of runs, and the spread of processor seconds; seconds stand for the whole where a share was run."""
    seconds = {name: statistics.median(run[name] for run in runs) / share for name in ("wall_s", "cpu_s")}
    spread = (max(run["cpu_s"] for run in runs) - min(run["cpu_s"] for run in runs)) / share
    return {**seconds, "cpu_spread_s": spread, "peak_mb": max(run["peak_mb"] for run in runs)}


def compare(folder: Path, hours: float, ways: Sequence[str], turns: int) -> dict[str, Run]:
    """Take each way in turn, several times over; print a table."""
    recording = folder / f"day_{hours:g}h.wav"
    elsewhere(write_recording, recording, hours)
    runs: dict[str, list[Run]] = {way: [] for way in ways}
    for _ in range(turns):
        for way in ways:
            runs[way].append(measure(command(way, recording, folder / "out")))
    recording.unlink()
    found = {way: summary(taken, HUBERT_SHARE if way == "hubert" else 1.0) for way, taken in runs.items()}
    print(f"\n| {hours:g} h | wall s | processor s | spread | to detect | peak MB |\n|---|---|---|---|---|---|")
    for way, run in found.items():
        ratio = run["cpu_s"] / found[ways[0]]["cpu_s"]
        print(
            f"| {way} | {run['wall_s']:.1f} | {run['cpu_s']:.1f} | {run['cpu_spread_s']:.1f} | {ratio:.2f} | {run['peak_mb']:.0f} |",
            flush=True,
        )
    return found


def draw(scaling: dict[float, Run], path: Path) -> None:
    """Seconds and memory against length, with the line that fits the seconds."""
    from matplotlib.figure import Figure

    hours = np.array(list(scaling))
    figure = Figure(figsize=(9, 3.5), layout="constrained")
    for axes, (key, what) in zip(figure.subplots(1, 2), (("wall_s", "seconds"), ("peak_mb", "peak memory, MB")), strict=True):
        found = np.array([run[key] for run in scaling.values()])
        axes.plot(hours, found, "o")
        if key == "wall_s":
            slope, offset = np.polyfit(hours, found, 1)
            axes.plot(hours, offset + slope * hours, label=f"{offset:.1f} s + {slope:.2f} s an hour")
            axes.legend()
        axes.set(xlabel="hours of audio", ylabel=what, ylim=(0, 1.2 * found.max()))
    figure.savefig(path, dpi=120)


def many_files(folder: Path, count: int) -> dict[str, Run]:
    """`loxo detect` on one minute, and on many files of a minute; and `loxo --help`."""
    minutes = folder / "minutes"
    minutes.mkdir()
    elsewhere(write_minutes, minutes, count)
    found = {
        "loxo --help": measure([sys.executable, "-m", "loxo.cli", "--help"]),
        "one minute": measure(command("detect", minutes / "minute0000.wav", folder / "one")),
        f"{count} files of a minute": measure(command("detect", minutes, folder / "many")),
    }
    for name, run in found.items():
        print(f"{name}: {run['wall_s']:.2f} s, processor {run['cpu_s']:.2f} s, {run['peak_mb']:.0f} MB", flush=True)
    return found


def side_by_side(folder: Path, hours: int) -> dict[str, Run]:
    """`loxo detect` on so many hours in one recording, and in recordings of an hour."""
    whole, cut = folder / "whole.wav", folder / "cut"
    cut.mkdir()
    elsewhere(write_recording, whole, hours)
    for number in range(hours):
        elsewhere(write_recording, cut / f"hour{number}.wav", 1)
    found = {}
    for name, path in ((f"{hours} h in one recording", whole), (f"{hours} h in recordings of an hour", cut)):
        run = found[name] = measure(command("detect", path, folder / "hours"))
        print(f"{name}: {run['wall_s']:.2f} s, processor {run['cpu_s']:.2f} s, {run['peak_mb']:.0f} MB", flush=True)
    return found


def inputs(folder: Path) -> dict[str, Run]:
    """An hour of `loxo detect` on other rates and formats."""
    found = {}
    for rate, suffix in ((RATE, "flac"), (RATE, "mp3"), (4000, "wav"), (48000, "wav")):
        path = folder / f"hour_{rate}.{suffix}"
        elsewhere(write_hour, path, rate)
        run = found[f"{rate} Hz {suffix}"] = measure(command("detect", path, folder / "inputs"))
        path.unlink()
        print(f"an hour of {rate} Hz {suffix}: {run['wall_s']:.2f} s, processor {run['cpu_s']:.2f} s, {run['peak_mb']:.0f} MB", flush=True)
    return found


def machine() -> dict[str, object]:
    """What the figures hold for."""
    from importlib import metadata

    names = [line.partition(":")[2].strip() for line in _lines(Path("/proc/cpuinfo")) if line.startswith("model name")]
    versions = {name: metadata.version(name) for name in ("numpy", "scipy", "onnxruntime", "soxr", "torch")}
    load = os.getloadavg()[0] if hasattr(os, "getloadavg") else None
    return {"processor": names[:1], "cores": os.cpu_count(), "system": platform.platform(), "load": load, "versions": versions}


def _lines(path: Path) -> list[str]:
    return path.read_text().splitlines() if path.is_file() else []


def main() -> None:
    """Print tables, and write JSON of all at the end."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--hours", type=float, nargs="*", default=[1, 24])
    parser.add_argument("--turns", type=int, default=3)
    parser.add_argument("--ways", nargs="+", choices=["detect", "one thread", *PARTS], default=["detect", "one thread", *PARTS])
    parser.add_argument("--scaling", type=float, nargs="*", default=[1, 6, 24, 72])
    parser.add_argument("--files", type=int, default=1000)
    parser.add_argument("--draw", type=Path, metavar="PNG", help="draw how seconds and memory grow with length")
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    results: dict[str, object] = {"machine": machine()}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        results["ways"] = {hours: compare(folder, hours, options.ways, options.turns) for hours in options.hours}
        scaling = {hours: compare(folder, hours, ["detect"], options.turns)["detect"] for hours in options.scaling}
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
