"""Make a clip set from annotation tables and recordings, in four steps.

    table       all tables + the listing of all recordings  ->  training_table.parquet
    background  segments without events                    ->  background.parquet
    clips       at most 20 s around each event              ->  clips.parquet, clips/<label>/
    resample    one rate for all                            ->  resampled.parquet, resampled/

Recordings and tables lie on a disk, on S3 or on a web server (`loxo.storage`). All results lie in
one folder: `data`, or `data/dev` for a small trial. From a recording, only the header and the bytes
of its clips are read.

Positions of clips are drawn with random numbers that depend on the recording and the event, not on
the order of the work. So more tables or recordings leave the clips around other events unchanged.
Each step writes a **receipt**, `<step>.json`, of its settings, inputs and versions, and does
nothing while they are the same. A step that is killed resumes where it was, and ends with the same
bytes.

    settings.py        all options, and which of them each step depends on
    folder.py          paths of the results, receipts, and reports of steps
    listing.py         the listing of recordings, and recordings that a file names
    training_table.py  the training table: recordings with their events
    table.py           step 1
    windows.py         events -> windows around them, as pure functions
    background.py      step 1.5
    journal.py         the files that a step has written so far
    plan.py            which clips step 2 cuts, and the split of each recording
    cutting.py         step 2
    resampling.py      step 3
"""

from __future__ import annotations

from loxo.preparation.background import draw_background
from loxo.preparation.cutting import cut_clips
from loxo.preparation.folder import Folder, PreparationError, Report
from loxo.preparation.resampling import resample_clips
from loxo.preparation.settings import STEPS, PrepareSettings
from loxo.preparation.table import make_table
from loxo.preparation.training_table import TrainingRecording, read_training_table

__all__ = [
    "STEPS",
    "Folder",
    "PreparationError",
    "PrepareSettings",
    "Report",
    "TrainingRecording",
    "cut_clips",
    "draw_background",
    "make_table",
    "read_training_table",
    "resample_clips",
]
