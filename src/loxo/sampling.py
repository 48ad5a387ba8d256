"""Which clips make up a batch: a sampler against imbalance.

Rumbles fill a thousandth of the recorded time and gunshots less, so batches drawn evenly from a clip set teach little but background. Here
each batch holds fixed shares of four **kinds** of clips: those with rumbles, with gunshots, with both, and with neither.

- A batch's counts are its shares rounded to whole clips by **largest remainders**. What rounding gives or takes is remembered and settled
  by the batches that follow, so that a kind with a share of half a clip a batch comes in every other batch.
- The clips of a kind are dealt like cards: all of them, in an order drawn anew, before any comes again, over the ends of batches and
  epochs. So a rare kind is repeated and a frequent one is thinned out, but nothing is left out for good.
- All is a function of seed and epoch: nothing is drawn at the moment of use, so processes that train together (rank `r` of a world of `w`)
  each take every `w`-th batch of the same row of batches without talking to each other.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import astuple, dataclass

import numpy as np
from numpy.typing import NDArray

from loxo.events import EVENT_LABELS

__all__ = ["KINDS", "BalancedBatches", "ClassShares", "counts_by_batch", "kind_of"]

KINDS = ("rumble", "gunshot", "both", "background")
"""The kinds of clips, in the order of the shares."""


@dataclass(frozen=True, slots=True)
class ClassShares:
    """Share of each kind of clip in a batch; they are used relative to their sum.

    Raises:
        ValueError: if a share is negative or not finite, or none is positive.
    """

    rumble: float = 0.3
    gunshot: float = 0.3
    both: float = 0.1
    background: float = 0.3

    def __post_init__(self) -> None:
        shares = np.array(astuple(self))
        if not (np.isfinite(shares).all() and (shares >= 0).all() and shares.any()):
            raise ValueError(f"shares {', '.join(f'{share:g}' for share in shares)} must not be negative, and one must be positive")


def kind_of(labels: Collection[str]) -> str:
    """The kind of a clip with these labels; what is neither a rumble nor a gunshot is background.

    >>> kind_of({"Rumble", "Roar"}), kind_of({"Aircraft"})
    ('rumble', 'background')
    """
    rumble, gunshot = (label in labels for label in EVENT_LABELS)
    return "both" if rumble and gunshot else "rumble" if rumble else "gunshot" if gunshot else "background"


def counts_by_batch(quotas: Sequence[float], batches: int) -> NDArray[np.int64]:
    """Clips `(batch, kind)` of each kind in each batch, where `quotas` are what its share comes to and their sum is whole.

    Each count is its quota rounded up or down; the places left over go to the largest remainders, with those of earlier batches.
    """
    quota = np.asarray(quotas, dtype=float)
    least = np.floor(quota).astype(np.int64)
    remainder = quota - least
    open_places = round(float(remainder.sum()))
    counts = np.tile(least, (batches, 1))
    owed = np.zeros(len(quota))
    for row in counts:
        owed += remainder
        chosen = np.argsort(-owed, kind="stable")[:open_places]
        row[chosen] += 1
        owed[chosen] -= 1
    return counts


class BalancedBatches:
    """Batches of clip numbers with fixed shares of the kinds, as the `batch_sampler` of a torch DataLoader.

    A kind that no clip is of hands its share to the others, in proportion. An epoch has as many places as there are clips, rounded down to
    the same number of whole batches for each process, and at least one. `set_epoch` says which epoch the next iteration deals.

    Args:
        labels: the labels of each clip, in the order of the dataset; leave out those that are in doubt.
        batch_size: clips of a batch, for each process.
        rank, world: which process this is, and of how many.

    Raises:
        ValueError: if there is no clip of a kind with a share, or a number is impossible.
    """

    def __init__(
        self,
        labels: Sequence[Collection[str]],
        batch_size: int,
        shares: ClassShares = ClassShares(),
        *,
        seed: int = 0,
        rank: int = 0,
        world: int = 1,
    ) -> None:
        if batch_size < 1 or not 0 <= rank < world:
            raise ValueError(f"batch size {batch_size} must be positive, and rank {rank} one of the {world} that there are")
        kinds = np.array([KINDS.index(kind_of(of_clip)) for of_clip in labels], dtype=np.int64)
        self.members = [np.flatnonzero(kinds == kind) for kind in range(len(KINDS))]
        weights = np.array(astuple(shares)) * [len(members) > 0 for members in self.members]
        if not weights.any():
            raise ValueError(f"none of the {len(labels)} clips is of a kind with a share; the kinds are {', '.join(KINDS)}")
        self.batches = max(1, len(labels) // (batch_size * world))
        self.seed, self.rank, self.world, self.epoch = seed, rank, world, 0
        self.counts = counts_by_batch(batch_size * weights / weights.sum(), self.batches * world)

    def set_epoch(self, epoch: int) -> None:
        """Deal this epoch from the next iteration on."""
        self.epoch = epoch

    def __len__(self) -> int:
        """Batches of an epoch, for this process."""
        return self.batches

    def __iter__(self) -> Iterator[list[int]]:
        dealt = [self._dealt(kind, int(total)) for kind, total in enumerate(self.counts.sum(axis=0))]
        ends = np.cumsum(self.counts, axis=0)
        for batch in range(self.rank, len(self.counts), self.world):
            clips = [row[end - count : end] for row, end, count in zip(dealt, ends[batch], self.counts[batch], strict=True)]
            rng = np.random.default_rng([self.seed, len(KINDS), self.epoch, batch])
            yield rng.permutation(np.concatenate(clips)).tolist()

    def _dealt(self, kind: int, total: int) -> NDArray[np.int64]:
        """The clips of a kind for this epoch `(place,)`: places `[epoch * total, (epoch + 1) * total)` of its endless row of rounds."""
        members = self.members[kind]
        if not total:
            return members[:0]
        first_round, skipped = divmod(self.epoch * total, len(members))
        rounds = range(first_round, (self.epoch * total + total - 1) // len(members) + 1)
        rows = [np.random.default_rng([self.seed, kind, number]).permutation(members) for number in rounds]
        return np.concatenate(rows)[skipped : skipped + total]
