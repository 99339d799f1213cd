"""How the board that everything runs on is: its temperature, and whether it slows itself down."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

_FLAGS = {
    0: "under-voltage",
    1: "frequency capped",
    2: "throttled",
    3: "near its temperature limit",
    16: "was under-voltage",
    17: "was frequency capped",
    18: "was throttled",
    19: "was near its temperature limit",
}


@dataclass(frozen=True)
class Board:
    """What the kernel tells of the board; None where it tells nothing.

    Attributes:
        model: Its name, e.g. ``"Raspberry Pi 5 Model B Rev 1.0"``.
        temperature: Of the processor, in degrees Celsius.
        throttled: What slows a Raspberry Pi down now or did since it was started, in words; empty
            where nothing does.
    """

    model: str | None
    temperature: float | None
    throttled: tuple[str, ...] | None


def read_board(root: Path = Path("/")) -> Board:
    """Read what the kernel tells of this board; takes well under a millisecond.

    The bits of ``get_throttled`` are those of the Raspberry Pi documentation for ``vcgencmd``.

    Args:
        root: Where ``sys`` and ``proc`` lie.
    """
    model = _text(root / "proc/device-tree/model")
    heat = _text(root / "sys/class/thermal/thermal_zone0/temp")
    bits = _text(root / "sys/devices/platform/soc/soc:firmware/get_throttled")
    throttled = None
    if bits is not None:
        try:
            number = int(bits, 16)
            throttled = tuple(words for bit, words in _FLAGS.items() if number >> bit & 1)
        except ValueError:
            throttled = None
    try:
        temperature = round(int(heat) / 1000, 1) if heat is not None else None
    except ValueError:
        temperature = None
    return Board(model, temperature, throttled)


def _text(path: Path) -> str | None:
    try:
        return path.read_text(errors="replace").strip("\0\n ") or None
    except OSError:
        return None
