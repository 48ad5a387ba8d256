"""One recording: what its header and name say, what is wrong with it, and blocks of its samples.

    header.py     the data types: Header, Damage, RecordingError
    names.py      identity of a recording by its path: stem, site, start time; names of outputs
    matching.py   finding the recording that a name in a table means
    sites.py      sites as the user defines them: a level of folders, or a table
    samples.py    mixing channels, resampling, and checking the samples that were read
    wav.py        WAV, RF64 and W64: finding and reading the samples, even if the header is wrong
    mp3.py        MP3 without a length in its header: counting its frames
    decoding.py   FLAC, OGG, MP3, AIFF and all other formats of libsndfile
    recording.py  Recording: a file read in parts or as a stream; finding recordings in folders
    arrays.py     wrapping an array of samples as a Recording
    stored.py     opening local and remote recordings; remote ones are read by byte ranges

Field recorders lose power or fill their cards, and files are copied with errors. All usable samples
are read; missing samples are never interpolated. Damage is reported: by `Recording.header_damage`
after opening, and by a `SampleCheck` after reading. Only a file without any usable sample is an
error.

>>> parse_name("nn01a_20180126_000000.wav", timezone=None)
('nn01a', None)
"""

from __future__ import annotations

from loxo.recordings.arrays import array_recording
from loxo.recordings.header import Damage, DamageKind, RecordingError
from loxo.recordings.matching import (
    AmbiguousNameError,
    RecordingIndex,
    RecordingName,
    same_recording,
)
from loxo.recordings.names import (
    SUFFIXES,
    UNREADABLE_SUFFIXES,
    base_name,
    common_root,
    output_names,
    parse_name,
    path_below,
    recording_stem,
    site_of,
    table_recording,
)
from loxo.recordings.recording import Recording, find_recordings
from loxo.recordings.samples import SampleCheck
from loxo.recordings.sites import SiteRule, read_site_rule
from loxo.recordings.stored import RecordingSource, local_copy, open_recording, open_stored

__all__ = [
    "SUFFIXES",
    "UNREADABLE_SUFFIXES",
    "AmbiguousNameError",
    "Damage",
    "DamageKind",
    "Recording",
    "RecordingError",
    "RecordingIndex",
    "RecordingName",
    "RecordingSource",
    "SampleCheck",
    "SiteRule",
    "array_recording",
    "base_name",
    "common_root",
    "find_recordings",
    "local_copy",
    "open_recording",
    "open_stored",
    "output_names",
    "parse_name",
    "path_below",
    "read_site_rule",
    "recording_stem",
    "same_recording",
    "site_of",
    "table_recording",
]
