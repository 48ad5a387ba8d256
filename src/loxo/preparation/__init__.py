"""From tables and archives to a clip set: four steps, each a file, each of use by itself.

    table       all tables + the listing of all recordings  ->  training_table.parquet
    background  stretches without events                    ->  background.parquet
    clips       at most 20 s around each event              ->  clips/<label>/*.flac, clips.parquet
    resample    one rate for all                            ->  resampled/<label>/*.flac, resampled.parquet

Recordings and tables lie on a disk, on S3 or on a web server (`loxo.storage`); all that is written lies in one folder, `data`, or
`data/dev` for a small trial of the same. Of a recording only the header and the bytes of its clips are read.

Windows are drawn by what they are about (a recording, an event), not in turn: more tables or recordings leave the clips around other
events as they were. A step leaves a **receipt**, `<step>.json`, of its settings, inputs and versions, and does nothing while they are the
same. A step that is killed goes on where it was, and ends with the same bytes.

    folder.py      where things lie, receipts, and what a step reports
    index.py       the listing of recordings, and how tables' names find them
    table.py       step 1
    windows.py     events -> windows around them, as pure functions
    background.py  step 1.5
    journal.py     what of a step's files is done
    cutting.py     step 2
    resampling.py  step 3
"""

from __future__ import annotations

from loxo.preparation.background import BackgroundSettings, draw_background
from loxo.preparation.cutting import ClipSettings, cut_clips
from loxo.preparation.folder import Folder, Report
from loxo.preparation.index import names_of
from loxo.preparation.resampling import ResampleSettings, resample_clips
from loxo.preparation.table import TableSettings, make_table

__all__ = [
    "BackgroundSettings",
    "ClipSettings",
    "Folder",
    "Report",
    "ResampleSettings",
    "TableSettings",
    "cut_clips",
    "draw_background",
    "make_table",
    "names_of",
    "resample_clips",
]
