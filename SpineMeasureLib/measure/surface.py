"""One smooth closed surface through many profiles at once (semi-global matching; Hirschmuller, IEEE PAMI 2008).

The best labelling of a grid with a penalty for steps between neighbours, as in the optimal surfaces of Li, Wu, Chen &
Sonka (IEEE PAMI 2006), approximated by the sum of the best paths that reach each place from four directions.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


def smooth_surface(cost: Array, bend: float, steepest: int) -> NDArray[np.int_]:
    """Return the column of each profile of a tube: cost and steps between neighbours add up to about the minimum.

    >>> cost = np.ones((5, 8, 9)); cost[..., 4] = 0.0; cost[2, 3] = 1.0; cost[2, 3, 8] = -0.5
    >>> np.unique(smooth_surface(cost, bend=0.3, steepest=2)).tolist()
    [4]

    :param cost: [n, m, columns]; n places along the tube, m around it (the last is next to the first).
    :param bend: cost of the squared number of columns between neighbours.
    :param steepest: largest number of columns between neighbours.
    :return: [n, m].
    """
    total = np.zeros_like(cost)
    along, around = np.arange(cost.shape[0]), np.arange(cost.shape[1])
    for way in (1, -1):
        _add_paths(total, cost, along[::way], bend, steepest)
        # Twice around, so that the first profile has neighbours on both sides.
        turned, sums = np.moveaxis(cost, 1, 0), np.moveaxis(total, 1, 0)
        _add_paths(sums, turned, [*around[::way], *around[::way]], bend, steepest)
    return total.argmin(axis=-1)


def _add_paths(total: Array, cost: Array, order: Iterable[int], bend: float, steepest: int) -> None:
    """Add the cost of the best path to each place, coming along the first axis in an order; its last visit counts."""
    moves = np.arange(-steepest, steepest + 1)
    columns = cost.shape[-1]
    found: dict[int, Array] = {}
    last: Array | None = None
    for place in order:
        here = cost[place]
        if last is not None:
            padded = np.pad(last, ((0, 0), (steepest, steepest)), constant_values=np.inf)
            reached = [padded[:, steepest + move : steepest + move + columns] + bend * move**2 for move in moves]
            here = here + np.min(reached, axis=0) - last.min(axis=-1, keepdims=True)
        found[int(place)] = last = here
    for place, path in found.items():
        total[place] += path
