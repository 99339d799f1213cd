"""What is amiss on a machine, and what mends it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from edge_fer.board import read_board
from edge_fer.doctor.cameras import check_cameras
from edge_fer.doctor.check import Check
from edge_fer.doctor.machine import (
    check_board,
    check_disk,
    check_display,
    check_libraries,
    check_mediapipe,
    check_processor,
)
from edge_fer.doctor.models import check_face, check_models
from edge_fer.doctor.software import (
    check_opencv,
    check_packages,
    check_picamera2,
    check_python,
    installed,
    requirements,
)
from edge_fer.models import model_names

Group = Callable[[], Check | Iterable[Check]]
"""Some checks that belong together."""


def examine() -> list[Check]:
    """Look at everything that edge-fer needs on this machine; takes a few seconds.

    Nothing raises and nothing ends the process: what cannot be checked is a finding.
    """
    board = read_board()

    def software() -> Iterable[Check]:
        wanted, found = requirements(), installed()
        yield from check_packages(wanted, found)
        yield check_opencv(wanted, found)

    def processor() -> Iterable[Check]:
        found = check_processor()
        yield found
        yield from check_mediapipe(found)

    return run(
        {
            "Python": check_python,
            "packages": software,
            "picamera2": lambda: check_picamera2((board.model or "").startswith("Raspberry Pi")),
            "libraries": check_libraries,
            "processor": processor,
            "models": lambda: check_models(model_names()),
            "face": check_face,
            "camera": check_cameras,
            "display": check_display,
            "disk": lambda: check_disk(Path.cwd()),
            "board": lambda: check_board(board),
        }
    )


def run(groups: dict[str, Group]) -> list[Check]:
    """Run groups of checks beside each other; their findings come in the groups' order.

    Args:
        groups: By the name that a group has where it fails as a whole.
    """
    with ThreadPoolExecutor(len(groups)) as pool:
        found: Sequence[list[Check]] = list(pool.map(_findings, groups, groups.values()))
    return [check for checks in found for check in checks]


def _findings(name: str, group: Group) -> list[Check]:
    checks: list[Check] = []
    try:
        answer = group()
        for check in [answer] if isinstance(answer, Check) else answer:
            checks.append(check)
    except Exception as e:  # the doctor must not fall ill: whatever it is, it is a finding
        detail = f"cannot be checked ({type(e).__name__}: {e})"
        checks.append(Check(name, "fail", detail, "report this to the makers of edge-fer"))
    return checks
