"""Scores in a few bits: a code of 8 bits for every score, and 12 bits more for high ones.

A code stands for a step on the scale of log odds (`KNOTS`). The code never falls as the score
rises, so low scores keep their order. A refinement divides the step of a code into 4,096 parts, so
a refined score is within 3.1e-5 of the true one.

Few codes are used: noise then takes 2 to 3 bits a score once codes are compressed, and a score that
has a refinement needs no fine code.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit, logit

__all__ = [
    "Codes",
    "Refinements",
    "decode_refined",
    "decode_scores",
    "encode_scores",
    "first_refined_code",
    "lowest_score",
    "pack_refinements",
    "unpack_refinements",
]

Codes = NDArray[np.uint8]
Refinements = NDArray[np.uint16]

KNOTS = (-17.0, -9.0, -3.9, 17.0), (0.0, 8.0, 16.0, 37.0)
"""Log odds and their codes, linear between: steps of 1 below a score of 1e-4, of 0.64 up to a score
of 0.02, and of 1 above, where scores usually have a refinement. Single precision holds no score
with log odds above 17."""
PARTS = 1 << 12
"""Parts of a code's step that a refinement distinguishes."""


def _places(scores: NDArray[np.floating]) -> NDArray[np.float64]:
    """Positions of scores on the scale of codes."""
    with np.errstate(divide="ignore"):
        odds = logit(np.asarray(scores, np.float64))
    places: NDArray[np.float64] = np.interp(odds, *KNOTS)
    return places


def encode_scores(scores: NDArray[np.floating]) -> tuple[Codes, Refinements]:
    """Encode scores: their codes and refinements, both of the shape of `scores`."""
    highest = KNOTS[1][-1] * PARTS - 1
    steps = np.minimum(_places(scores) * PARTS, highest).astype(np.uint32)
    return (steps // PARTS).astype(np.uint8), (steps % PARTS).astype(np.uint16)


def decode_scores(codes: Codes, refinements: Refinements | None = None) -> NDArray[np.float32]:
    """Decode scores: the middle of a code's step, or of the part that the refinement selects."""
    within = 0.5 if refinements is None else (refinements + 0.5) / PARTS
    scores: NDArray[np.float64] = expit(np.interp(codes + within, KNOTS[1], KNOTS[0]))
    return scores.astype(np.float32)


def first_refined_code(floor: float) -> int:
    """The lowest code whose scores have a refinement, if scores from `floor` on have one."""
    return int(encode_scores(np.array([floor]))[0][0])


def lowest_refined_score(floor: float) -> float:
    """The lowest score that has a refinement: the floor, or a little less, where a step begins."""
    return lowest_score(first_refined_code(floor))


def lowest_score(first_refined_code: int) -> float:
    """The lowest score with this code."""
    return float(expit(np.interp(first_refined_code, KNOTS[1], KNOTS[0])))


def decode_refined(
    codes: Codes, refinements: Refinements, fine: NDArray[np.bool_]
) -> NDArray[np.float32]:
    """Decode scores of which some have a refinement.

    Args:
        codes: `(frame, label)`.
        refinements: `(fine score,)` in the order of `codes[fine]`.
    """
    scores: NDArray[np.float32] = decode_scores(np.arange(256, dtype=np.uint8))[codes]
    scores[fine] = decode_scores(codes[fine], refinements)
    return scores


def pack_refinements(refinements: Refinements) -> bytes:
    """Pack refinements in 12 bits each: the upper 8 bits of all, then the lower 4 bits in pairs."""
    upper = (refinements >> 4).astype(np.uint8)
    lower = np.pad((refinements & 15).astype(np.uint8), (0, len(refinements) % 2))
    return upper.tobytes() + ((lower[::2] << 4) | lower[1::2]).tobytes()


def unpack_refinements(content: bytes, n_scores: int) -> Refinements:
    """Refinements that `pack_refinements` packed.

    Raises:
        ValueError: if there are not as many.
    """
    packed = np.frombuffer(content, np.uint8)
    upper, pairs = packed[:n_scores].astype(np.uint16), packed[n_scores:]
    lower = np.column_stack((pairs >> 4, pairs & 15)).ravel()[:n_scores]
    return ((upper << 4) | lower).astype(np.uint16)
