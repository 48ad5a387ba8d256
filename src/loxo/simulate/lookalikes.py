"""What is taken for a rumble or a gunshot: each kind under its own label, and how often it is drawn.

Kinds that are hard to tell from events, by what detectors have confused, come most often.
"""

from __future__ import annotations

from collections.abc import Callable

from loxo.simulate.engines import aircraft, generator, saw, vehicle
from loxo.simulate.signals import Array, Rng
from loxo.simulate.thumps import chest_beats, drumming, knock
from loxo.simulate.voices import bark, bird, blow, frog, insects, people, roar, trumpet
from loxo.simulate.weather import branch_snap, rain, thunder, tree_fall, wind_gust

__all__ = ["LOOKALIKES"]

LOOKALIKES: dict[str, tuple[Callable[[Rng, int], Array], float]] = {
    "Roar": (roar, 2.2),
    "Trumpet": (trumpet, 2.0),
    "Blow": (blow, 0.8),
    "Bark": (bark, 1.6),
    "Knock": (knock, 1.4),
    "Branch": (branch_snap, 1.3),
    "Thunder": (thunder, 1.2),
    "Wind": (wind_gust, 1.3),
    "Drumming": (drumming, 1.0),
    "Chest beats": (chest_beats, 0.5),
    "Aircraft": (aircraft, 1.1),
    "Vehicle": (vehicle, 0.7),
    "Generator": (generator, 0.3),
    "Saw": (saw, 0.7),
    "Tree fall": (tree_fall, 0.6),
    "Rain": (rain, 0.9),
    "Bird": (bird, 0.7),
    "Frog": (frog, 0.5),
    "Insects": (insects, 0.4),
    "People": (people, 0.6),
}
