"""Cameras of Video4Linux."""

from __future__ import annotations

import contextlib
import os
import struct
from collections.abc import Callable, Iterator
from pathlib import Path

from edge_fer.doctor.check import Check

_QUERYCAP = 0x80685600
_LAYOUT = struct.Struct("=16s32s32sIII12x")
_CAPTURES = 0x1 | 0x1000  # V4L2_CAP_VIDEO_CAPTURE and its _MPLANE
_OF_ITS_OWN = 0x80000000  # V4L2_CAP_DEVICE_CAPS: the third number tells of this node alone
# Parts of a Raspberry Pi's camera system and video codecs; its camera is opened by picamera2.
_PARTS = ("bcm2835-", "pispbe", "rp1-cfe", "unicam", "rpi-hevc", "rpivid")


def check_cameras(
    folder: Path = Path("/dev"), ask: Callable[[Path], tuple[str, str, bool]] | None = None
) -> Iterator[Check]:
    """Which cameras there are, and whether this user may read them.

    Args:
        folder: Where the devices lie.
        ask: Gives driver, name and whether it captures of a device; the kernel's word if None.
    """
    ask, good, locked = ask or _ask, [], []
    for path in sorted(folder.glob("video*"), key=lambda p: (len(p.name), p.name)):
        try:
            driver, name, captures = ask(path)
        except PermissionError:
            locked.append(str(path))
            continue
        except OSError as e:
            yield Check("camera", "note", f"{path}: {e.strerror}", "unplug it and plug it in again")
            continue
        if captures and not driver.startswith(_PARTS):
            good.append(f"{path} ({name})")
    if locked:
        detail = f"{', '.join(locked)} cannot be read by this user"
        mend = 'sudo usermod -aG video "$USER", and log in again'
        yield Check("camera", "note", detail, mend)
    if good:
        yield Check("camera", "ok", ", ".join(good))
    elif not locked:
        mend = "plug a camera in, or give edge-fer run a picture, a video or a stream"
        yield Check("camera", "note", "no USB camera here", mend)


def _ask(path: Path) -> tuple[str, str, bool]:
    """Driver, name and whether it captures, from VIDIOC_QUERYCAP; does not disturb who uses it."""
    import fcntl

    answer = bytearray(_LAYOUT.size)
    number = os.open(path, os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        fcntl.ioctl(number, _QUERYCAP, answer)
    finally:
        with contextlib.suppress(OSError):
            os.close(number)
    driver, name, _bus, _version, every, own = _LAYOUT.unpack(answer)
    able = own if every & _OF_ITS_OWN else every
    return _text(driver), _text(name), bool(able & _CAPTURES)


def _text(raw: bytes) -> str:
    return raw.split(b"\0", 1)[0].decode(errors="replace")
