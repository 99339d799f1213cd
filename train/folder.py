"""The folder of a training run."""

from __future__ import annotations

from pathlib import Path

from edge_fer.errors import InputError, ModelError

CHECKPOINT, MODEL, HISTORY = "checkpoint.npz", "model.keras", "history.csv"
FULL_MODEL = "all-heads.keras"
"""The network with every truth that it learned, where it learned more than its model names."""


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


def full_model(folder: Path) -> Path:
    """The file of a run's network with all its heads, to teach or to start another one.

    Raises:
        ModelError: The folder holds no trained model.
    """
    for name in (FULL_MODEL, MODEL):
        if (folder / name).is_file():
            return folder / name
    raise ModelError(f"{folder} holds no trained model")
