"""What machine a benchmark ran on."""

from __future__ import annotations

import os
import platform
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from edge_fer.board import read_board

_PACKAGES = ("edge-fer", "ai-edge-litert", "numpy", "opencv-contrib-python", "mediapipe")


_ARM_PARTS = {
    "0xd03": "Cortex-A53",
    "0xd04": "Cortex-A35",
    "0xd05": "Cortex-A55",
    "0xd07": "Cortex-A57",
    "0xd08": "Cortex-A72",
    "0xd09": "Cortex-A73",
    "0xd0a": "Cortex-A75",
    "0xd0b": "Cortex-A76",
    "0xd0c": "Neoverse-N1",
    "0xd41": "Cortex-A78",
}
"""Arm's part numbers, as the kernel tells them instead of a name."""
_INT8 = ("asimddp", "i8mm", "avx2", "avx_vnni", "avx512_vnni", "amx_int8")
"""Instructions that make int8 quick."""


def describe_machine() -> dict[str, object]:
    """Board, processor, cores, memory, system and versions, as far as they can be read."""
    part = _field("/proc/cpuinfo", "CPU part")
    cpu0 = "/sys/devices/system/cpu/cpu0/cpufreq"
    highest = _text(f"{cpu0}/cpuinfo_max_freq")
    flags = (_field("/proc/cpuinfo", "flags") or _field("/proc/cpuinfo", "Features") or "").split()
    return {
        "board": read_board().model,
        "processor": _field("/proc/cpuinfo", "model name")
        or _ARM_PARTS.get(part or "")
        or platform.machine(),
        "machine": platform.machine(),
        "int8_instructions": " ".join(name for name in _INT8 if name in flags) or "none",
        "max_mhz": int(highest) // 1000 if highest else None,
        "cores": len(os.sched_getaffinity(0)),
        "governor": _text(f"{cpu0}/scaling_governor"),
        "memory_mib": round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**20),
        "delegate": "XNNPACK",
        "load": round(os.getloadavg()[0], 2),
        "system": platform.platform(),
        "python": platform.python_version(),
        "versions": {name: _version(name) for name in _PACKAGES},
    }


def _text(path: str) -> str | None:
    try:
        return Path(path).read_text().strip("\0\n ") or None
    except OSError:
        return None


def _field(path: str, name: str) -> str | None:
    for line in (_text(path) or "").splitlines():
        if line.startswith(name):
            return line.split(":", 1)[1].strip()
    return None


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None
