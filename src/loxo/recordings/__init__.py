"""One recording as it is found on a disk: what its header and its name say, what is wrong with it, and blocks of its samples.

    header.py     the nouns: Header, Damage, RecordingError
    names.py      file name -> site and start time
    samples.py    channels -> one, rate -> another, and an account of what passed
    wav.py        WAV, RF64 and W64: where the samples lie, by the header and by the size of the file; and reading them
    mp3.py        MP3 that does not say how long it is: counting its frames
    decoding.py   FLAC, OGG, MP3, AIFF and whatever else libsndfile knows
    recording.py  Recording: opening, reading, streaming; finding recordings in folders
    stored.py     recordings on S3 and the like: read by ranges of bytes where they can be

Field recorders lose power, fill their cards and are copied with errors. What is usable is used, nothing is invented to fill it up, and
what was wrong is told: by `Recording.header_damage` when it is opened, by a `SampleCheck` when its samples have passed. Only a file with
nothing usable in it is an error.

>>> parse_name("nn01a_20180126_000000.wav", timezone=None)
('nn01a', None)
"""

from __future__ import annotations

from loxo.recordings.header import Damage, DamageKind, RecordingError
from loxo.recordings.names import parse_name
from loxo.recordings.recording import SUFFIXES, Recording, find_recordings, open_recording
from loxo.recordings.samples import SampleCheck
from loxo.recordings.stored import at_hand, open_stored

__all__ = [
    "SUFFIXES",
    "Damage",
    "DamageKind",
    "Recording",
    "RecordingError",
    "SampleCheck",
    "at_hand",
    "find_recordings",
    "open_recording",
    "open_stored",
    "parse_name",
]
