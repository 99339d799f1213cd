"""The cheapest way to pair the rows of a matrix with its columns."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def assign(cost: NDArray[np.float64]) -> list[tuple[int, int]]:
    """Pair rows with columns so that the sum of the costs is least.

    Shortest augmenting paths (Jonker and Volgenant, "A shortest augmenting path algorithm for dense
    and sparse linear assignment problems", 1987), O(n^3): a frame has few faces, and SciPy's would
    bring 35 MB.

    Args:
        cost: [R, C], finite.

    Returns:
        min(R, C) pairs (row, column), by row.
    """
    if cost.shape[0] > cost.shape[1]:
        return sorted((row, column) for column, row in assign(cost.T))
    rows, columns = cost.shape
    if rows == 1:
        return [(0, int(cost[0].argmin()))]
    # Index 0 of what belongs to columns is a root that stands for no column.
    row_price, column_price = np.zeros(rows + 1), np.zeros(columns + 1)
    row_of = np.zeros(columns + 1, int)  # 1-based; 0 is free
    for row in range(1, rows + 1):
        row_of[0] = row
        least = np.full(columns + 1, np.inf)
        came_from = np.zeros(columns + 1, int)
        done = np.zeros(columns + 1, bool)
        here = 0
        while row_of[here]:
            done[here] = True
            i = row_of[here]
            free = ~done[1:]
            reduced = cost[i - 1] - row_price[i] - column_price[1:]
            better = free & (reduced < least[1:])
            least[1:][better] = reduced[better]
            came_from[1:][better] = here
            there = int(np.where(free, least[1:], np.inf).argmin()) + 1
            step = least[there]
            row_price[row_of[done]] += step
            column_price[done] -= step
            least[1:][free] -= step
            here = there
        while here:
            row_of[here] = row_of[came_from[here]]
            here = came_from[here]
    return sorted((int(row_of[c]) - 1, c - 1) for c in range(1, columns + 1) if row_of[c])
