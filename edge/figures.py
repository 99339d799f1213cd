"""Writing Matplotlib figures."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from edge_fer.files import write_whole

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def save_figure(figure: Figure, path: Path) -> None:
    """Write a figure as PNG, whole or not at all.

    Raises:
        StorageError: The file cannot be written.
    """
    with write_whole(path) as part:
        figure.savefig(part, dpi=120, format="png")
