"""The machine: processor, system libraries, display, disk, heat and power."""

from __future__ import annotations

import os
import platform
import shutil
from collections.abc import Iterator, Mapping
from importlib.util import find_spec
from pathlib import Path

from edge_fer.board import Board
from edge_fer.doctor.check import Check
from edge_fer.doctor.probes import Try, try_out

_LIBRARIES = {  # file: Debian's package, what loads it, whether nothing works without
    "libGL.so.1": ("libgl1", "OpenCV", True),
    "libgthread-2.0.so.0": ("libglib2.0-0", "OpenCV", True),
    "libEGL.so.1": ("libegl1", "MediaPipe", False),
    "libGLESv2.so.2": ("libgles2", "MediaPipe", False),
}
_INT8 = ("avx512_vnni", "avx_vnni", "asimddp")
_HOT = 80.0
_LITTLE, _NONE = 1 << 30, 20 << 20


def check_libraries(
    attempt: Try = try_out, release: Path = Path("/etc/os-release")
) -> Iterator[Check]:
    """Whether the system libraries that the packages load are there.

    Args:
        attempt: Tries a library out.
        release: What the system says of itself: newer Debians have another name for glib.
    """
    if platform.system() != "Linux":
        return
    for name, (package, user, needed) in _LIBRARIES.items():
        outcome = attempt("library", name)
        if not outcome.error:
            yield Check(name, "ok", f"there; {user} loads it")
            continue
        if package == "libglib2.0-0" and _has_t64(release):
            package += "t64"
        what = "missing" if "No such file" in outcome.error else f"does not load: {outcome.error}"
        mend = f"sudo apt install {package}"
        if needed and not attempt("opencv").error:  # the headless one, in a container
            yield Check(name, "note", f"{what}; the {user} that is installed does without", mend)
        else:
            yield Check(name, "fail" if needed else "note", f"{what}; {user} loads it", mend)


def check_processor(attempt: Try = try_out, cpuinfo: Path = Path("/proc/cpuinfo")) -> Check:
    """Whether MediaPipe runs on the processor, and whether int8 is fast there.

    Args:
        attempt: Tries a library out.
        cpuinfo: The kernel's description of the processor.
    """
    try:
        words = set(cpuinfo.read_text(errors="replace").split())
    except OSError:
        words = set()
    fast = next((word for word in _INT8 if word in words), None)
    int8 = f"int8 dot products ({fast})" if fast else "no int8 dot products"
    text = f"{platform.machine()}, {os.cpu_count() or '?'} cores, {int8}"
    outcome = attempt("processor")
    if outcome.error:
        detail = f"{text}; whether MediaPipe runs is unknown: {outcome.error}"
        return Check("processor", "note", detail, "mend NumPy first")
    if not outcome.found.get("mediapipe"):
        detail = f"{text}; it lacks the atomic instructions that MediaPipe needs"
        mend = "nothing: BlazeFace finds the same faces (--detector auto takes it)"
        return Check("processor", "note", detail, mend)
    return Check("processor", "ok", f"{text}, MediaPipe can run")


def check_mediapipe(
    processor: Check, is_installed: bool | None = None, attempt: Try = try_out
) -> Iterator[Check]:
    """Whether MediaPipe, where it is installed, finds the face.

    It is never imported where the processor cannot run it.

    Args:
        processor: What ``check_processor`` found.
        is_installed: Looked up if None.
        attempt: Tries a library out.
    """
    if is_installed is None:
        is_installed = find_spec("mediapipe") is not None
    if not is_installed or processor.state != "ok":
        return
    outcome = attempt("face", "mediapipe")
    away = "pip uninstall mediapipe, or --detector blazeface: the same faces"
    if outcome.ended:
        yield Check("MediaPipe", "fail", outcome.error, away)
    elif outcome.error:
        mend = "sudo apt install libegl1 libgles2"
        yield Check("MediaPipe", "note", f"does not load: {outcome.error}", mend)
    elif len(outcome.found.get("boxes", [])) != 1:
        yield Check("MediaPipe", "fail", "does not find the face in the test picture", away)
    else:
        yield Check("MediaPipe", "ok", "finds the face in the test picture")


def check_display(environment: Mapping[str, str] = os.environ, attempt: Try = try_out) -> Check:
    """Whether a window can be opened.

    Args:
        environment: Where ``DISPLAY`` and ``WAYLAND_DISPLAY`` are looked up.
        attempt: Tries a library out.
    """
    named = environment.get("WAYLAND_DISPLAY") or environment.get("DISPLAY")
    without = "edge-fer run --save, --jsonl or --csv do without a window"
    if not named:
        return Check("display", "note", "none: no window opens", without)
    if not attempt("display").found.get("works"):
        mend = f"unset DISPLAY WAYLAND_DISPLAY, or ssh -X; {without}"
        return Check("display", "note", f"{named} cannot be reached: no window opens", mend)
    return Check("display", "ok", f"{named}: a window opens")


def check_disk(folder: Path) -> Check:
    """Whether there is room for what is saved.

    Args:
        folder: The working folder.
    """
    free = shutil.disk_usage(folder).free
    text = f"{free / 2**30:.1f} GiB free at {folder}"
    mend = "df -h; make room, or have --save, --jsonl and --csv write elsewhere"
    if free < _LITTLE:
        return Check("disk", "fail" if free < _NONE else "note", text, mend)
    return Check("disk", "ok", text)


def check_board(board: Board) -> Iterator[Check]:
    """Whether the board is too hot or has too little power, and slows itself down.

    Args:
        board: What the kernel tells of it.
    """
    heat = board.temperature
    if heat is None:
        yield Check("temperature", "ok", "the kernel does not tell")
    elif heat >= _HOT:
        yield Check("temperature", "note", f"{heat:g} °C", "give it a heat sink, a fan or air")
    else:
        yield Check("temperature", "ok", f"{heat:g} °C")
    if board.throttled is None:
        return
    if any("under-voltage" in words for words in board.throttled):
        mend = "use the board's official power supply and a short cable"
    else:
        mend = "give it a heat sink, a fan or air"
    if board.throttled:
        yield Check("throttling", "note", ", ".join(board.throttled), mend)
    else:
        yield Check("throttling", "ok", "none since it was started")


def _has_t64(release: Path) -> bool:
    """Whether the packages were renamed for 64-bit time: Debian 13, Ubuntu 24.04 and later."""
    try:
        lines = release.read_text(errors="replace").splitlines()
    except OSError:
        return False
    facts = dict(line.split("=", 1) for line in lines if "=" in line)
    version = facts.get("VERSION_ID", "").strip('"').split(".")[0]
    least = 24 if "ubuntu" in facts.get("ID", "") else 13
    return version.isdigit() and int(version) >= least
