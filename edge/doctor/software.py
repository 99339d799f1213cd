"""Python and the packages."""

from __future__ import annotations

import os
import platform
import re
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib import metadata
from importlib.util import find_spec
from pathlib import Path

from edge_fer.doctor.check import Check
from edge_fer.doctor.probes import Try, try_out

_PYTHONS = ((3, 11), (3, 14))
_EXTRAS = {
    "mediapipe": "MediaPipe's face detector; BlazeFace finds the same faces without it",
    "mqtt": "--mqtt",
    "web": "--serve",
}
_OPENCVS = (
    "opencv-contrib-python",
    "opencv-python",
    "opencv-contrib-python-headless",
    "opencv-python-headless",
)
_APT = Path("/usr/lib/python3/dist-packages")


@dataclass(frozen=True)
class Requirement:
    """A package that edge-fer asks for.

    Attributes:
        name: The distribution's name.
        bounds: Which versions, e.g. ``">=2.1.6,<3"``.
        extra: The extra that asks for it; empty where the package itself does.
    """

    name: str
    bounds: str
    extra: str = ""

    def allows(self, version: str) -> bool:
        """Whether a version lies within the bounds."""
        for relation, bound in re.findall(r"(>=|<)\s*([\w.]+)", self.bounds):
            if (_numbers(version) >= _numbers(bound)) != (relation == ">="):
                return False
        return True

    @property
    def install(self) -> str:
        """The command that installs it."""
        return f"pip install '{self.name}{self.bounds}'"


def requirements() -> list[Requirement]:
    """What edge-fer as it is installed here asks for; empty where it is not installed."""
    try:
        lines = metadata.requires("edge-fer") or []
    except metadata.PackageNotFoundError:
        return []
    wanted = []
    for line in lines:
        match = re.match(r"([\w.-]+)\s*([<>=!~,.\w\s]*)(?:;.*extra == .(\w+))?", line)
        if match and match[1] != "edge-fer":  # an extra of extras
            bounds = match[2].replace(" ", "")
            wanted.append(Requirement(match[1], bounds, match[3] or ""))
    return wanted


def installed(path: Sequence[str] | None = None) -> dict[str, list[tuple[str, str]]]:
    """Version and folder of every distribution that this Python sees, by name.

    The one that is imported comes first; others of the same name lie in later folders.

    Args:
        path: Folders to look in; those that Python imports from if None.
    """
    found: dict[str, list[tuple[str, str]]] = {}
    for one in metadata.distributions(path=list(sys.path if path is None else path)):
        name = re.sub(r"[-_.]+", "-", str(one.metadata["Name"] or "")).lower()
        place = (one.version, os.path.realpath(str(one.locate_file(""))))
        if place not in found.setdefault(name, []):  # a folder may be named twice
            found[name].append(place)
    return found


def check_python(
    version: Sequence[int] = sys.version_info[:3], bits: int = sys.maxsize.bit_length() + 1
) -> Check:
    """Whether the packages have wheels for this Python."""
    low, high = _PYTHONS
    text = f"{'.'.join(map(str, version))}, {bits} bit, {platform.machine()}"
    if bits != 64:
        mend = "install a 64-bit system: LiteRT and MediaPipe have no others"
        return Check("Python", "fail", text, mend)
    if not low <= tuple(version[:2]) < high:
        names = f"3.{low[1]} to 3.{high[1] - 1}"
        mend = f"python3.{high[1] - 1} -m venv .venv, and install edge-fer there"
        return Check("Python", "fail", f"{text}; edge-fer runs on {names}", mend)
    return Check("Python", "ok", text)


def check_packages(
    wanted: Sequence[Requirement],
    found: Mapping[str, Sequence[tuple[str, str]]],
    attempt: Try = try_out,
) -> Iterator[Check]:
    """Whether what is needed is there, in a version that edge-fer runs with, and loads.

    Args:
        wanted: What edge-fer asks for.
        found: What is installed.
        attempt: Tries a library out.
    """
    if not wanted:
        mend = "pip install '.[mediapipe]', in a checkout"
        yield Check("edge-fer", "note", "runs, but is not installed as a package", mend)
    native = {"ai-edge-litert": "litert", "numpy": "numpy"}
    for one in wanted:
        if one.name.startswith("opencv") or (one.extra and one.extra not in _EXTRAS):
            continue
        versions = found.get(one.name)
        if not versions:
            if one.extra:
                purpose = f"not installed; for {_EXTRAS[one.extra]}"
                yield Check(one.name, "note", purpose, one.install)
            else:
                yield Check(one.name, "fail", "not installed", one.install)
            continue
        version = versions[0][0]
        if not one.allows(version):
            detail = f"{version}; edge-fer asks for {one.bounds}"
            yield Check(one.name, "fail", detail, one.install)
            continue
        outcome = attempt(native[one.name]) if one.name in native else None
        if outcome is not None and outcome.error:
            mend = f"pip install --force-reinstall '{one.name}{one.bounds}'"
            yield Check(one.name, "fail", f"{version} does not load: {outcome.error}", mend)
        else:
            yield Check(one.name, "ok", version)


def check_opencv(
    wanted: Sequence[Requirement],
    found: Mapping[str, Sequence[tuple[str, str]]],
    attempt: Try = try_out,
) -> Check:
    """Whether there is one OpenCV, and only one.

    Several distributions install the same folder ``cv2``: the later one overwrites the earlier
    one's files, and uninstalling either breaks both.

    Args:
        wanted: What edge-fer asks for.
        found: What is installed.
        attempt: Tries a library out.
    """
    ours = next((w for w in wanted if w.name in _OPENCVS), Requirement(_OPENCVS[0], ">=4.11,<5"))
    there = [(name, *place) for name in _OPENCVS for place in found.get(name, ())]
    folders = [folder for *_, folder in there]
    text = " and ".join(f"{name} {version}" for name, version, _ in there)
    anew = f"pip install --force-reinstall --no-deps '{ours.name}{ours.bounds}'"
    if len(set(folders)) < len(folders):
        mend = f"pip uninstall -y {' '.join(name for name, *_ in there)} && {anew}"
        return Check("OpenCV", "fail", f"{text} overwrite each other's files", mend)
    outcome = attempt("opencv")
    if outcome.error:
        mend = ours.install if not there else anew
        if "cannot open shared object" in outcome.error:
            mend = "install the system library that is named; see the libraries below"
        return Check("OpenCV", "fail", f"{text or 'not installed'}: {outcome.error}", mend)
    version = str(outcome.found.get("version", ""))
    if not there:
        detail = f"{version}, from no package that edge-fer knows"
        return Check("OpenCV", "note", detail, ours.install)
    if not there[0][1].startswith(version.split("-")[0]):
        detail = f"{text}, but its files are of {version}: another package overwrote them"
        return Check("OpenCV", "fail", detail, anew)
    if there[0][0] != ours.name:
        mend = f"pip uninstall -y {there[0][0]} && {anew}"
        return Check("OpenCV", "note", f"{text}; MediaPipe asks for {ours.name}", mend)
    return Check("OpenCV", "ok", text)


def check_picamera2(
    on_pi: bool,
    visible: bool | None = None,
    apt: Path = _APT,
    attempt: Try = try_out,
) -> Check:
    """Whether the Pi's camera can be reached.

    Args:
        on_pi: Whether this is a Raspberry Pi: elsewhere nothing is missing.
        visible: Whether this Python sees picamera2; looked up if None.
        apt: Where Debian installs Python packages.
        attempt: Tries a library out.
    """
    name = "picamera2"
    if visible is None:
        visible = find_spec(name) is not None
    if visible:
        outcome = attempt(name)
        if outcome.error:
            mend = "sudo apt install --reinstall python3-picamera2"
            if "dtype size changed" in outcome.error:  # apt's parts are built for NumPy 1
                mend = "pip install 'numpy<2'"
            return Check(name, "fail", f"does not load: {outcome.error}", mend)
        cameras = outcome.found.get("cameras", [])
        if not cameras:
            mend = "rpicam-hello --list-cameras; look at the ribbon cable at both ends"
            return Check(name, "note", "loads, and sees no camera", mend)
        return Check(name, "ok", f"sees {', '.join(cameras)}")
    again = f"/usr/bin/python3 -m venv --system-site-packages {sys.prefix}"
    if (apt / name).is_dir():
        detail = "installed by apt, but this environment does not see the system's packages"
        return Check(name, "note", detail, f"{again}, and install edge-fer again")
    if on_pi:
        mend = f"sudo apt install python3-picamera2 && {again}"
        return Check(name, "note", "not installed; for the Pi's own camera", mend)
    return Check(name, "ok", "not installed; only a Raspberry Pi's own camera needs it")


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in re.findall(r"\d+", version.split("+")[0])[:3])
