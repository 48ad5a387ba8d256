"""Soundscapes with known events, for tests, training and demonstration.

`signals` holds what sounds are made of, `propagation` what the forest does to them. `rumbles` and `gunshots` draw events; `voices`,
`engines`, `weather` and `thumps` what is taken for them, listed in `lookalikes`. `scenes` sets them into a place, `recorder` hears it, and
`writing` puts it on disk. All chance comes from the Generator that is passed in.
"""

from loxo.simulate.gunshots import gunshot
from loxo.simulate.lookalikes import LOOKALIKES
from loxo.simulate.rumbles import rumble
from loxo.simulate.scenes import SceneSettings, scene, soundscape

__all__ = ["LOOKALIKES", "SceneSettings", "gunshot", "rumble", "scene", "soundscape"]
