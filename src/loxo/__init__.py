"""loxo finds forest-elephant rumbles and gunshots in long recordings.

This is the tour: the rooms in the order in which data goes through them. A room imports only rooms above it, so reading from top to
bottom never meets a name that was not explained.

ground
    timeline.py       seconds, samples and frames: the only place that converts
    events.py         the nouns: Event, Detection, LABELS
    storage/          files on a disk, on S3 and on the web: found, read by ranges, written whole or not at all

recordings
    recordings/       one recording: header, damage, site and start time from its name; blocks of samples

annotations
    annotations/      tables of the field -> events; detections -> Raven, Audacity, CSV, Parquet

clips
    clips.py          the clip set: short audio files and their manifest
    splits.py         which recording or site is in which fold, and a check for leaks
    preparation/      the four steps: training table, background, clips, resampling

dataset
    targets.py        events -> (class, bin) targets, and back
    augment/          changes to training batches that stand for a physical difference
    sampling.py       which clips a batch holds, against imbalance
    dataset.py        the windows of clips that models are trained on
    simulate/         soundscapes with known events

model
    spectrogram/      the front end: one definition, a NumPy and a torch face
    models/           the architectures: what all share, then one a file

training
    checkpoints.py    the model folder: specification, network, weights
    training/         configuration file -> model folder

detection
    scoring.py        recording -> scores (frame, class), in constant memory
    detection.py      scores -> detections, as pure functions
    surveys.py        many recordings: journal, resume, skipped files

evaluation
    metrics.py        three rules of agreement, counts, figures and intervals
    evaluation.py     the rules over recordings
    calibration.py    scores that mean what they say, and thresholds for a number of false alarms

people
    report.py         pictures of recordings and what was found in them

door
    cli/              one command a room

>>> import loxo
>>> loxo.LABELS
('Rumble', 'Gunshot', 'Background')
"""

from __future__ import annotations

from loxo.events import LABELS, Detection, Event
from loxo.timeline import FrameGrid

__all__ = ["LABELS", "Detection", "Event", "FrameGrid"]
