"""Sounds that are confused with rumbles or gunshots: the label of each kind, and its frequency.

Kinds that are hard to tell from events, judging by what detectors have confused, come most often.
"""

from __future__ import annotations

from typing import NamedTuple

from loxo.simulate.engines import (
    aircraft,
    boat,
    chainsaw,
    generator,
    idling,
    mains,
    train,
    vehicle,
)
from loxo.simulate.mammals import big_cat, cattle, colobus, donkey, hippo
from loxo.simulate.signals import Maker
from loxo.simulate.thumps import boat_knocks, chest_beats, drumming, drums, hammering, knock
from loxo.simulate.voices import (
    bark,
    bird,
    blow,
    frog,
    frog_chorus,
    insects,
    music,
    people,
    roar,
    trumpet,
)
from loxo.simulate.weather import (
    branch_snap,
    fire_crackle,
    rain,
    stream,
    surf,
    thunder,
    tree_fall,
    wind_gust,
)

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
    "Roar": Lookalike(roar, 2.6),
    "Trumpet": Lookalike(trumpet, 2.3),
    "Blow": Lookalike(blow, 0.9),
    "Bark": Lookalike(bark, 1.8),
    "Knock": Lookalike(knock, 1.2),
    "Branch": Lookalike(branch_snap, 1.2),
    "Hammering": Lookalike(hammering, 0.9),
    "Boat knocks": Lookalike(boat_knocks, 0.8),
    "Thunder": Lookalike(thunder, 1.4),
    "Fire": Lookalike(fire_crackle, 0.9),
    "Surf": Lookalike(surf, 0.9),
    "Stream": Lookalike(stream, 0.3),
    "Wind": Lookalike(wind_gust, 1.2),
    "Drumming": Lookalike(drumming, 0.9),
    "Chest beats": Lookalike(chest_beats, 0.4),
    "Aircraft": Lookalike(aircraft, 1.1),
    "Vehicle": Lookalike(vehicle, 0.9),
    "Boat": Lookalike(boat, 0.7),
    "Train": Lookalike(train, 0.6),
    "Idling engine": Lookalike(idling, 1.2),
    "Generator": Lookalike(generator, 0.4),
    "Mains hum": Lookalike(mains, 0.5),
    "Chainsaw": Lookalike(chainsaw, 0.7),
    "Tree fall": Lookalike(tree_fall, 0.5),
    "Rain": Lookalike(rain, 0.8),
    "Big cat": Lookalike(big_cat, 0.5),
    "Cattle": Lookalike(cattle, 0.5),
    "Donkey": Lookalike(donkey, 0.3),
    "Colobus": Lookalike(colobus, 0.4),
    "Hippo": Lookalike(hippo, 0.4),
    "Bird": Lookalike(bird, 0.6),
    "Frog": Lookalike(frog, 0.5),
    "Frog chorus": Lookalike(frog_chorus, 0.8),
    "Insects": Lookalike(insects, 0.3),
    "People": Lookalike(people, 0.6),
    "Music": Lookalike(music, 0.6),
    "Drums": Lookalike(drums, 0.7),
}
"""Look-alikes by label. The order is part of what a seed decides."""
