"""``edge-fer benchmark --crop``: the accuracy from end to end."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edge_fer.commands.talk import show

if TYPE_CHECKING:
    from edge_fer.train.dataset import Dataset


def crop_rows(
    files: list[Path], data: Dataset, split: str, side: int, tilt: float, detector: str
) -> list[dict[str, Any]]:
    """Check the crop of every model, and show what came out."""
    from rich.table import Table

    from edge_fer.benchmarks.crop_check import check_crop
    from edge_fer.classifier import Classifier
    from edge_fer.detector import open_detector

    part = data.split(split)
    rows = []
    table = Table(title=f"{split}, n = {len(part)}, pasted at {side} px into 640x480")
    for name in (
        "model",
        "found %",
        "direct %",
        "direct, found %",
        "end to end, found %",
        "scale",
        "shift",
        "roll",
    ):
        table.add_column(name, justify="left" if name == "model" else "right")
    for file in files:
        with open_detector(detector) as finder:
            result = check_crop(Classifier(file), finder, part, side, tilt)
        rows.append({"model": file.name, **asdict(result)})
        table.add_row(
            file.name,
            *(
                f"{100 * v:.2f}"
                for v in (result.found, result.direct_all, result.direct, result.end_to_end)
            ),
            f"{result.scale:.3f} ± {result.scale_spread:.3f}",
            f"{result.shift:.3f} ± {result.shift_spread[1]:.3f}",
            f"± {result.roll_spread:.1f}°",
        )
    show(table)
    return rows
