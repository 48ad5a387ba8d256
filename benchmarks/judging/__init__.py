"""What `benchmarks/accuracy.py` measures, and on what.

A **set** is a folder of recordings with a table of their events. Sets are composed once, from
seeds, and kept, so that every model meets the same sound. Some are recordings as they are.
A **part** is a set and the figures that are read off it. A **row** is one figure with an interval,
known by its group, its name, its label and what it measures, so that two runs can be compared.

    sources.py      shared recordings: events, backgrounds by class, which recording a sound is from
    composing.py    sounds set into beds at stated levels
    changes.py      what a recorder or its surroundings do to a recording: hum, gain control, zeros
    sounds.py       sounds cut from recordings, or simulated
    material.py     all of these by name
    sets.py         a set on disk: written once, read again
    soundscape_sets.py, condition_sets.py, call_sets.py, shot_sets.py, lookalike_sets.py
                    the sets
    detecting.py    detections of a model in a set, kept
    rows.py         rows, tables, comparison of two runs
    figures.py      counts, curves and shares with intervals over source recordings
    counting.py     how many events detections stand for, and outcomes by row
    extents.py      bands, ends and calibration
    composed_parts.py, parts.py
                    the parts
"""
