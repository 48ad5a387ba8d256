"""Sounds that are confused with rumbles or gunshots: the label of each kind, and its frequency.

Kinds that are hard to tell from events, judging by what detectors have confused, come most often.
"""

from __future__ import annotations

from typing import NamedTuple

from loxo.simulate.engines import aircraft, chainsaw, generator, vehicle
from loxo.simulate.signals import Maker
from loxo.simulate.thumps import chest_beats, drumming, knock
from loxo.simulate.voices import bark, bird, blow, frog, insects, people, roar, trumpet
from loxo.simulate.weather import branch_snap, rain, thunder, tree_fall, wind_gust

__all__ = ["LOOKALIKES", "Lookalike"]


class Lookalike(NamedTuple):
    """A kind of sound that is confused with events.

    Args:
        make: makes one sound.
        weight: how often it is drawn, relative to the other kinds.
    """

    make: Maker
    weight: float


LOOKALIKES = {
    "Roar": Lookalike(roar, 2.2),
    "Trumpet": Lookalike(trumpet, 2.0),
    "Blow": Lookalike(blow, 0.8),
    "Bark": Lookalike(bark, 1.6),
    "Knock": Lookalike(knock, 1.4),
    "Branch": Lookalike(branch_snap, 1.3),
    "Thunder": Lookalike(thunder, 1.2),
    "Wind": Lookalike(wind_gust, 1.3),
    "Drumming": Lookalike(drumming, 1.0),
    "Chest beats": Lookalike(chest_beats, 0.5),
    "Aircraft": Lookalike(aircraft, 1.1),
    "Vehicle": Lookalike(vehicle, 0.7),
    "Generator": Lookalike(generator, 0.3),
    "Chainsaw": Lookalike(chainsaw, 0.7),
    "Tree fall": Lookalike(tree_fall, 0.6),
    "Rain": Lookalike(rain, 0.9),
    "Bird": Lookalike(bird, 0.7),
    "Frog": Lookalike(frog, 0.5),
    "Insects": Lookalike(insects, 0.4),
    "People": Lookalike(people, 0.6),
}
"""Look-alikes by label. The order is part of what a seed decides."""
