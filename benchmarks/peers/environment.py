"""Environments of the peers' own, made from the package registries once and kept."""

from __future__ import annotations

import importlib.metadata
import json
import platform
import shutil
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Protocol

import edge_fer
from edge_fer.benchmarks.peers.process import PeerError, last_line
from edge_fer.files import write_whole

_STAMP = "made.json"
_PATIENCE = 3600
"""Seconds that a step of an installation may take."""


@dataclass(frozen=True)
class Installed:
    """An environment that is there.

    Attributes:
        command: What runs a worker in it.
        folder: Where a worker is started.
        megabytes: What installing put on disk, in 10^6 bytes.
        versions: Package to version.
    """

    command: tuple[str, ...]
    folder: Path
    megabytes: float
    versions: dict[str, str]


class Environment(Protocol):
    """What peers are installed in."""

    @property
    def name(self) -> str:
        """Its own among the environments: that of its folder."""

    def make(self, folder: Path) -> Installed:
        """Install what is needed, unless it is there already.

        Args:
            folder: Its place.

        Raises:
            PeerError: It cannot be installed.
        """


@dataclass(frozen=True)
class PythonPackages:
    """A virtual environment.

    Attributes:
        name: Name of its folder.
        requirements: For pip.
        removed: What has to go again after the installation; the size counts it.
    """

    name: str
    requirements: tuple[str, ...]
    removed: tuple[str, ...] = ()

    def make(self, folder: Path) -> Installed:
        """Install what is needed, unless it is there already."""
        python = str(folder / "bin" / "python")

        def install() -> tuple[float, dict[str, str]]:
            _run([sys.executable, "-m", "venv", str(folder)])
            bare = _megabytes(folder)
            pip = [python, "-m", "pip", "--disable-pip-version-check"]
            _run([*pip, "install", "--quiet", *self.requirements])
            size = _megabytes(folder) - bare
            if self.removed:
                _run([*pip, "uninstall", "--quiet", "--yes", *self.removed])
            listed = json.loads(_run([*pip, "list", "--format", "json"]))
            return size, {one["name"]: one["version"] for one in listed}

        wanted = asdict(self) | {"python": platform.python_version()}
        return Installed((python,), folder, *_once(folder, wanted, install))


@dataclass(frozen=True)
class EdgeFer:
    """A virtual environment with a copy of the package that runs now.

    Attributes:
        name: Name of its folder.
        extra: Of edge-fer's extras, the one to install with it; empty for none.
    """

    name: str
    extra: str = ""

    def make(self, folder: Path) -> Installed:
        """Install what edge-fer needs, unless it is there already, and copy edge-fer anew."""
        packages = PythonPackages(self.name, _requirements(self.extra)).make(folder)
        (site,) = folder.glob("lib/python*/site-packages")
        copy = site / "edge_fer"
        shutil.rmtree(copy, ignore_errors=True)
        package = Path(edge_fer.__file__).parent
        shutil.copytree(package, copy, ignore=shutil.ignore_patterns("__pycache__"))
        versions = {**packages.versions, "edge-fer": edge_fer.__version__}
        return Installed(packages.command, folder, packages.megabytes + _megabytes(copy), versions)


@dataclass(frozen=True)
class NodePackages:
    """A folder with ``node_modules``.

    Attributes:
        name: Name of the folder.
        packages: Package to version.
    """

    name: str
    packages: dict[str, str]

    def make(self, folder: Path) -> Installed:
        """Install what is needed, unless it is there already."""
        node, npm = shutil.which("node"), shutil.which("npm")
        if node is None or npm is None:
            raise PeerError("Node.js with npm is not installed")

        def install() -> tuple[float, dict[str, str]]:
            folder.mkdir(parents=True)
            (folder / "package.json").write_text(json.dumps({"dependencies": self.packages}))
            _run([npm, "install", "--no-audit", "--no-fund"], folder)
            return _megabytes(folder / "node_modules"), self.packages

        version = _run([node, "--version"]).strip()
        size, versions = _once(folder, asdict(self), install)
        return Installed((node,), folder, size, {**versions, "node": version})


def _requirements(extra: str) -> tuple[str, ...]:
    """What edge-fer needs, with an extra."""
    needs = [need.partition(";") for need in importlib.metadata.requires("edge-fer") or ()]
    wanted = ("", f"extra == '{extra}'")
    return tuple(n.strip() for n, _, mark in needs if mark.strip().replace('"', "'") in wanted)


def _once(
    folder: Path, wanted: dict[str, Any], install: Callable[[], tuple[float, dict[str, str]]]
) -> tuple[float, dict[str, str]]:
    """Size and versions as they were noted, or those of a new installation in an empty folder."""
    stamp, wanted = folder / _STAMP, json.loads(json.dumps(wanted))
    made = json.loads(stamp.read_text()) if stamp.is_file() else {}
    if made.get("wanted") != wanted:
        shutil.rmtree(folder, ignore_errors=True)
        size, versions = install()
        made = {"wanted": wanted, "megabytes": size, "versions": versions}
        with write_whole(stamp) as part:
            part.write_text(json.dumps(made, indent=1))
    return made["megabytes"], made["versions"]


def _run(command: Sequence[str], folder: Path | None = None) -> str:
    try:
        done = subprocess.run(
            command, cwd=folder, capture_output=True, text=True, timeout=_PATIENCE, check=False
        )
    except subprocess.TimeoutExpired as e:
        raise PeerError(f"{Path(command[0]).name} took more than {_PATIENCE} s") from e
    if done.returncode:
        raise PeerError(last_line(done.stderr or done.stdout))
    return done.stdout


def _megabytes(folder: Path) -> float:
    files = (f.lstat() for f in folder.rglob("*") if f.is_file() and not f.is_symlink())
    return sum(f.st_size for f in files) / 1e6
