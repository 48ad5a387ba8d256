"""Run detection over many recordings; each has an outcome, and none is processed twice.

A run has three steps. They are independent of each other, so that recordings may lie on other
storage and the work may be spread over machines:

    plan      a listing -> recordings by their path below a root, their outputs and sites
    work      a recording -> its tables and its kept scores, then its record
    collect   the outcomes of all recordings -> the tables of the run

A file that cannot be read never ends a run: it is skipped, with the reason. A run that was killed
or is repeated resumes from the journal. A run with other thresholds uses the kept scores and needs
no audio.

    settings.py     how recordings are read, and what is written
    plan.py         roots, names of outputs, sites
    records.py      the outcome of a recording, and the journal of all
    score_codes.py  a score in 8 bits, or in 24
    kept_scores.py  the scores of a recording in a file, and bands and counts
    work.py         one recording
    collect.py      detections.parquet, recordings.parquet, run.json, skipped.tsv
    running.py      a run on this machine, in threads
"""

from __future__ import annotations

from loxo.runs.collect import RECORDINGS_SCHEMA
from loxo.runs.kept_scores import KeptScores, ScoreKeeper
from loxo.runs.plan import PlannedRecording, plan_recordings, run_root
from loxo.runs.records import Outcome, RunRecords
from loxo.runs.running import Run, RunSummary, list_recordings
from loxo.runs.settings import FORMATS, PICTURE_ENDING, RunSettings
from loxo.runs.work import AUDIO_TASK

__all__ = [
    "AUDIO_TASK",
    "FORMATS",
    "PICTURE_ENDING",
    "RECORDINGS_SCHEMA",
    "KeptScores",
    "Outcome",
    "PlannedRecording",
    "Run",
    "RunRecords",
    "RunSettings",
    "RunSummary",
    "ScoreKeeper",
    "list_recordings",
    "plan_recordings",
    "run_root",
]
