"""loxo finds forest-elephant rumbles and gunshots in long recordings.

    import loxo
    model = loxo.load_model("tcn")
    recording = loxo.open_recording("nn01a_20180126_000000.wav")
    detections = model.detect(recording)
    loxo.plot(recording, detections)
    loxo.write_raven("nn01a_20180126_000000.txt", detections, recording)

These names are imported when they are first used, so `import loxo` itself is quick.

What follows is the tour: the modules in the order in which data goes through them. A module imports
only modules above it, so someone who reads from top to bottom never meets an unexplained name.

foundations
    timeline.py       all conversions between seconds, samples and frames
    events.py         the basic types: Event, Detection, LABELS
    messages.py       progress reports, counts in words, one-line errors
    settings.py       settings from YAML files and key=value, checked
    provenance.py     where results come from: hashes, versions, journals
    storage/          files on a disk, on S3 and on the web: listing, reading ranges, atomic writes

recordings
    recordings/       one recording: its name, header, damage, and blocks of its samples

annotations
    annotations/      annotation tables -> events; detections -> Raven, Audacity, CSV, Parquet

clips
    clips.py          the clip set: short audio files and their manifest
    splits.py         which recording or site is in which fold, and a check for leaks
    preparation/      the four steps: training table, background, clips, resampling

dataset
    targets.py        events -> (label, bin) targets, and back
    acoustics.py      levels, absorption and random draws, for augmentation and simulation
    augment/          random changes of training batches, each with a physical cause
    sampling.py       which clips a batch holds, to balance the labels
    dataset.py        windows of clips with their targets, for training
    simulate/         soundscapes with known events

model
    spectrogram/      the front end: one definition, implemented in NumPy and in PyTorch
    models/           the architectures: their base class, and one file for each

training
    model_folder/     the model folder: specification, network, weights
    training/         configuration file -> model folder

detection
    scoring.py        recording -> scores (frame, label), in constant memory
    burst_counts.py   the number of gunshots in a detection
    frequency_bands.py the frequency band of a detection
    post_processing.py scores -> detections, as pure functions
    model.py          Model: detections and scores of a recording or an array
    runs/             detection in many recordings, resumable: plan, work, collect

evaluation
    metrics/          three matching rules, counts, curves, confidence intervals
    evaluation/       metrics over all recordings, by site, hour of day and SNR
    calibration.py    scores -> probabilities; thresholds for a rate of false positives

reports
    report/           pictures of recordings and their detections, figures of an evaluation

command line
    cli/              one command in each file

>>> import loxo
>>> loxo.LABELS
('Rumble', 'Gunshot', 'Background')
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from loxo import report, simulate
    from loxo.annotations import read_table, write_raven
    from loxo.dataset import AudioDataset
    from loxo.evaluation import evaluate
    from loxo.events import LABELS, Detection, Event
    from loxo.model import Model, load_model
    from loxo.recordings import Recording, open_recording
    from loxo.report import plot
    from loxo.timeline import FrameGrid

    __version__: str

__all__ = [
    "LABELS",
    "AudioDataset",
    "Detection",
    "Event",
    "FrameGrid",
    "Model",
    "Recording",
    "__version__",
    "evaluate",
    "load_model",
    "open_recording",
    "plot",
    "read_table",
    "report",
    "simulate",
    "write_raven",
]

_HOMES = {
    "LABELS": "loxo.events",
    "AudioDataset": "loxo.dataset",
    "Detection": "loxo.events",
    "Event": "loxo.events",
    "FrameGrid": "loxo.timeline",
    "Model": "loxo.model",
    "Recording": "loxo.recordings",
    "evaluate": "loxo.evaluation",
    "load_model": "loxo.model",
    "open_recording": "loxo.recordings",
    "plot": "loxo.report",
    "read_table": "loxo.annotations",
    "write_raven": "loxo.annotations",
}
"""Public names and the modules that they are imported from when they are first used. What these
modules need (NumPy, Polars, ONNX Runtime, ...) takes a second or more to import."""
_MODULES = ("report", "simulate")
"""Modules that are public names themselves."""


def __getattr__(name: str) -> Any:
    """Import a public name when it is first used (PEP 562)."""
    if name in _HOMES:
        found = getattr(importlib.import_module(_HOMES[name]), name)
    elif name in _MODULES:
        found = importlib.import_module(f"loxo.{name}")
    elif name == "__version__":
        from importlib import metadata

        found = metadata.version("loxo")
    else:
        raise AttributeError(f"module 'loxo' has no attribute {name!r}")
    globals()[name] = found
    return found


def __dir__() -> list[str]:
    """List all public names, imported or not, for `help`, `dir` and tab completion."""
    hidden = {"Any", "TYPE_CHECKING", "annotations", "importlib"}
    return sorted({*globals(), *__all__} - hidden)
