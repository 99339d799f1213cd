"""The shipped models, and the whole way from a picture to an emotion."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from edge_fer.doctor.check import Check
from edge_fer.doctor.probes import Try, try_out

_AGAIN = "install edge-fer again: pip install --force-reinstall --no-deps ., in a fresh checkout"
_FIRST = "mend what else fails here first"
_CENTER = (224.0, 130.0)
"""Where the face in the test picture is."""


def check_models(names: Sequence[str], attempt: Try = try_out) -> Iterator[Check]:
    """Whether each shipped model fits its card and gives numbers.

    Args:
        names: The models.
        attempt: Tries a model out.
    """
    if not names:
        yield Check("models", "fail", "no model came with the package", _AGAIN)
    for name in names:
        outcome = attempt("model", name)
        if outcome.error:
            mend = _AGAIN if "ModelError" in outcome.error else _FIRST
            yield Check(f"model {name}", "fail", outcome.error, mend)
        elif not outcome.found.get("finite"):
            yield Check(f"model {name}", "fail", "gives numbers that are none", _AGAIN)
        else:
            classes, precision = outcome.found.get("classes"), outcome.found.get("precision")
            yield Check(f"model {name}", "ok", f"{precision}, {classes} classes, as its card says")


def check_face(attempt: Try = try_out) -> Check:
    """Whether the face in the shipped picture is found and its emotion read.

    BlazeFace is what every machine can run.

    Args:
        attempt: Tries a detector out.
    """
    outcome = attempt("face", "blazeface")
    if outcome.error:
        return Check("face", "fail", outcome.error, _FIRST)
    boxes, emotions = outcome.found.get("boxes", []), outcome.found.get("emotions", [])
    if len(boxes) != 1:
        detail = f"{len(boxes)} faces found in the test picture, which has one"
        return Check("face", "fail", detail, _AGAIN)
    x, y, width, height = boxes[0]
    if abs(x + width / 2 - _CENTER[0]) > 15 or abs(y + height / 2 - _CENTER[1]) > 15:
        return Check("face", "fail", "the face in the test picture is found elsewhere", _AGAIN)
    return Check("face", "ok", f"found in the test picture, and read as {emotions[0]}")
