"""Simulated forest recordings with known events, for tests, training and demonstration.

In a notebook:

    events = loxo.simulate.write_recording("forest.wav", seconds=600, seed=1)
    waveform, events = loxo.simulate.scene(1)  # 30 s: (sample,) at 4 kHz, and events

The same seed gives the same sound. `SceneSettings` says what a scene holds. `SOUNDS` names the
kinds of sounds; each can be a label: `SceneSettings(labels=("Rumble", "Gunshot", "Chainsaw"))`.

Modules, in the order in which they use one another:

    signals.py      coloured noise, harmonics, envelopes
    propagation.py  what a forest does to a sound on its way
    beds.py         steady noises: hum, machines, surf, streams, rain, insects, frogs
    overload.py     what small and overloaded recorders do to loud sounds
    rumbles.py      an elephant that calls, and its rumbles
    weapons.py      what leaves a gun: blast and shock wave
    beds.py         steady noises: hum, machines, surf, streams, rain, insects, frogs
    overload.py     what small and overloaded recorders do to loud sounds
    rumbles.py      an elephant that calls, and its rumbles
    weapons.py      what leaves a gun: blast and shock wave
    gunshots.py     a gunshot or a burst
    voices.py, mammals.py, engines.py, weather.py, thumps.py
                    sounds that are confused with events, listed in lookalikes.py
    places.py       the background noise of a place
    recorder.py     what a recorder does to the sound
    excerpts.py     the extent of a sound in time and frequency, and excerpts of it
    mixture.py      background noise to which sounds are added, with their events
    scenes.py       scenes of some seconds, and long soundscapes
    drawn.py        scenes as a dataset for training
    writing.py      recordings and clip sets in files
"""

from loxo.simulate.gunshots import gunshot
from loxo.simulate.lookalikes import LOOKALIKES
from loxo.simulate.rumbles import rumble
from loxo.simulate.scenes import SOUNDS, SceneSettings, scene, soundscape
from loxo.simulate.writing import (
    RECORDING,
    load_backgrounds,
    split_backgrounds,
    write_clip_set,
    write_recording,
    write_recordings,
)

__all__ = [
    "LOOKALIKES",
    "RECORDING",
    "SOUNDS",
    "SceneSettings",
    "gunshot",
    "load_backgrounds",
    "rumble",
    "scene",
    "soundscape",
    "split_backgrounds",
    "write_clip_set",
    "write_recording",
    "write_recordings",
]
