"""The folder of a training run."""

from __future__ import annotations

from pathlib import Path

from edge_fer.errors import InputError

CHECKPOINT, MODEL, HISTORY = "checkpoint.npz", "model.keras", "history.csv"


def check_folder(out: Path, resume: bool) -> None:
    """Refuse a folder whose run would be overwritten.

    Raises:
        InputError: It is a file, or holds a run that is not to be resumed.
    """
    if out.exists() and not out.is_dir():
        raise InputError(f"{out} is a file; name a folder with --out")
    if not resume and ((out / CHECKPOINT).exists() or (out / MODEL).exists()):
        raise InputError(
            f"{out} already holds a run; add --resume to go on with it, or choose another --out"
        )
