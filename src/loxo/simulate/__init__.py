"""Soundscapes with known events, for tests, training and demonstration.

`sounds` draws single sounds, `scenes` sets them into a place and a recorder. All chance comes from the Generator that is passed in.
"""

from loxo.simulate.scenes import SceneSettings, scene, soundscape
from loxo.simulate.sounds import LOOKALIKES, gunshot, rumble

__all__ = ["LOOKALIKES", "SceneSettings", "gunshot", "rumble", "scene", "soundscape"]
