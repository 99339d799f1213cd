"""The models that come with the package."""

from __future__ import annotations

from pathlib import Path

from edge_fer.errors import ModelError

FOLDER = Path(__file__).parent
BLAZEFACE = FOLDER / "blazeface-short.tflite"
"""MediaPipe's face detection network; it has no card, since it is no classifier."""
IDENTITY = FOLDER / "identity.tflite"
"""The network that tells people apart."""

DEFAULT_MODEL = "fer-base-plus"


def model_names() -> list[str]:
    """Names of the emotion models that come with the package."""
    return sorted(p.stem for p in FOLDER.glob("*.tflite") if p not in (BLAZEFACE, IDENTITY))


def find_model(name: str | Path) -> Path:
    """The file of a model given by name or path.

    Raises:
        ModelError: There is none.
    """
    if str(name) in model_names():
        return FOLDER / f"{name}.tflite"
    path = Path(name)
    if not path.is_file():
        names = ", ".join(model_names())
        raise ModelError(f"model {str(name)!r} is neither a file nor one of {names}")
    return path
