"""The rules of `metrics/` over recordings: which recordings count, and over how many hours.

An honest evaluation must know what both sides searched. A missing row does not tell: it may mean
that there was nothing, or that nobody looked.

Searched by people
    A recording counts as searched if a table has a row for it, a row that says "searched, nothing
    there" (`DUMMY_NoEles`), or if it has a table of its own with a header only. Any other recording
    that the detector was run on is **unannotated**: it is named and not counted. Taking it for
    empty would turn everything that nobody listened to into false detections.
Searched by the detector
    1. A folder of `loxo detect`: the recordings that its `run.json` lists, with their lengths.
       Damaged recordings that were skipped are not among them.
    2. A folder of `<recording>.selections.txt` tables without `run.json`: those that have a table,
       with rows or without.
    3. Detections in Python, by recording: those that are given.
    4. Anything else, such as one table of many recordings: nothing says so, and every recording of
       the truth counts as searched.
    Recordings of the truth that were not searched by the detector (cases 1 to 3) are named and not
    counted: events in them are not missed, since the detector did not search there.

Both sides meet by the identity of a recording (`loxo.recordings.names`): file name and folders
agree as far as both sides give them, so that `siteA/20210722_005941.WAV` is not
`siteB/20210722_005941.WAV`. A name that fits two recordings is an error. Results name recordings by
their paths below the folder that they share.

The labels are those of the model where `run.json` has them, else `EVENT_LABELS`, or what the caller
asks for. Rows with other labels (roars, aircraft) are counted and reported; they are neither true
nor false.

Results are given over all recordings and by groups (`groups.py`): by site, by hour of day, and
recall by SNR for events whose SNR is known, as in the tables of `loxo simulate`.

    counting.py      which recordings count, and how each rule matches what is in them
    run_folder.py    the folders of `loxo detect`
    reading.py       tables, runs and Python values -> an evaluation
    groups.py        metrics by site, hour of day and SNR, with intervals over recordings
    comparing.py     two sets of detections, by the same truth
    json_results.py  all results as JSON
    tables.py        results as tables for a terminal
    notices.py       what a reader of the results must know
"""

from __future__ import annotations

from loxo.evaluation.comparing import Comparison, compare
from loxo.evaluation.counting import Evaluation, EvaluationError, LabelResult
from loxo.evaluation.groups import EVENT_RULES, Group, by_hour, by_site, by_snr, whole
from loxo.evaluation.json_results import to_json, write_json
from loxo.evaluation.notices import notices
from loxo.evaluation.reading import evaluate, recording_paths
from loxo.evaluation.tables import comparison_table, curve_table, shots_table, summary_table

__all__ = [
    "EVENT_RULES",
    "Comparison",
    "Evaluation",
    "EvaluationError",
    "Group",
    "LabelResult",
    "by_hour",
    "by_site",
    "by_snr",
    "compare",
    "comparison_table",
    "curve_table",
    "evaluate",
    "notices",
    "recording_paths",
    "shots_table",
    "summary_table",
    "to_json",
    "whole",
    "write_json",
]
