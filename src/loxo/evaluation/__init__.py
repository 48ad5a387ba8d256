"""The rules of `metrics.py` over recordings: which of them count, over how many hours, and what is told of the rest.

An honest figure needs to know what was searched by both sides, and absence of a row says nothing about that.

Searched by people
    A recording is, if a table has a row for it, a row that says "searched, nothing there" (`DUMMY_NoEles`), or if a table of its own
    has a header only. Any other recording that the detector was run on is **refused**: left out of every count, and named. Taking it
    for empty would turn what nobody listened to into false detections.
Searched by the detector
    1. A folder of `loxo detect`: those that its `run.json` lists, with their lengths. Damaged recordings that were skipped are not there.
    2. A folder of `<recording>.selections.txt` tables without `run.json`: those that have a table, rows or none.
    3. Anything else, such as one table of many recordings: nobody can know, so every recording of the truth is taken as searched.
    Recordings of the truth that were not searched by the detector (in the first two cases) are left out as well, and named: events in
    them are no misses, since nobody looked.

Recordings meet under the key that `loxo.annotations` gives them: the base name without its audio extension.
Only the labels of `EVENT_LABELS` are scored; other rows (roars, aircraft) are counted and reported, and are neither true nor false.

Figures are given over all recordings, and by groups (`groups.py`): by site and hour of day, as the file's name says them, and recall by
the loudness over the noise (SNR) of events whose notes hold `snr_db=...`, as those of `loxo simulate`.

    counting.py    which recordings count, and what the rules make of each
    groups.py      figures by site, hour of day and SNR, with bootstrap intervals over recordings
    comparing.py   two sets of detections, on the same truth
    reading.py     tables and the folders of `loxo detect`
    results.py     JSON, tables for a terminal, and words
"""

from __future__ import annotations

from loxo.evaluation.comparing import Comparison, compare
from loxo.evaluation.counting import Evaluation, EvaluationError, Judged, evaluate
from loxo.evaluation.groups import EVENT_RULES, Group, by_hour, by_site, by_snr, snr_db, whole
from loxo.evaluation.reading import evaluate_paths, recording_paths
from loxo.evaluation.results import comparison_table, curve_table, notices, summary_table, to_json, write_json

__all__ = [
    "EVENT_RULES",
    "Comparison",
    "Evaluation",
    "EvaluationError",
    "Group",
    "Judged",
    "by_hour",
    "by_site",
    "by_snr",
    "compare",
    "comparison_table",
    "curve_table",
    "evaluate",
    "evaluate_paths",
    "notices",
    "recording_paths",
    "snr_db",
    "summary_table",
    "to_json",
    "whole",
    "write_json",
]
