"""The best pairing of events and detections, each in one pair at most: a linear assignment."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array
from scipy.sparse.csgraph import min_weight_full_bipartite_matching

__all__ = ["best_pairing"]

Values = NDArray[np.float64]
Indices = NDArray[np.int64]
Mask = NDArray[np.bool_]


def best_pairing(event: Indices, detection: Indices, worth: Values) -> Mask:
    """Choose the pairing with the most pairs and, among those, the greatest sum of worths.

    Args:
        event, detection: the candidate pairs `(pair,)`.
        worth: of each candidate `(pair,)`, positive.

    Returns:
        Whether each candidate `(pair,)` is in the pairing.
    """
    if event.size == 0:
        return np.zeros(0, dtype=bool)
    rows, row = np.unique(event, return_inverse=True)
    columns, column = np.unique(detection, return_inverse=True)
    # A column of its own lets each event stay alone, at a weight of 1. A pair weighs 3 and a share
    # that adds up to at most 1 over all pairs: one pair more always counts for more than any worth.
    alone = np.arange(rows.size)
    weight = np.concatenate((3 + worth / worth.sum(), np.ones(rows.size)))
    cells = np.concatenate((row, alone)), np.concatenate((column, columns.size + alone))
    graph = csr_array((weight, cells), shape=(rows.size, columns.size + rows.size))
    _, chosen = min_weight_full_bipartite_matching(graph, maximize=True)
    return np.asarray(chosen[row] == column)
