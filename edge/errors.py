"""The errors of edge-fer, in one tree.

    EdgeFerError
    ├── InputError            what was given cannot be used: the command exits with 2
    │   ├── DataError         a data set or a row of it
    │   ├── ModelError        a model file, or a card that does not fit its model
    │   ├── RecipeError       a training recipe
    │   ├── SourceError       a camera, picture, video or stream that does not open
    │   └── MissingPackageError
    └── WorkError             good input, but the work failed: the command exits with 1
        ├── GateError         a converted model that is not good enough to be kept
        ├── SourceLostError   a source that was open and is lost for good
        ├── ReaderGoneError   who read standard output has gone: the command exits with 0
        └── StorageError      a file that cannot be written: disk full, no permission

Every message is one line that names the thing, what was wrong with it and what to do.
"""

from __future__ import annotations


class EdgeFerError(Exception):
    """Base of every error that edge-fer raises on purpose."""


class InputError(EdgeFerError):
    """What the caller gave cannot be used."""


class DataError(InputError):
    """A data set, or one row or picture of it, cannot be read."""


class ModelError(InputError):
    """A model file is broken, lacks its card, or does not fit its card."""


class RecipeError(InputError):
    """A training recipe has an unknown key or an impossible value."""


class SourceError(InputError):
    """A source of frames does not exist or does not open."""


class MissingPackageError(InputError):
    """An optional package is needed for what was asked.

    Args:
        package: Name of the distribution that is missing.
        purpose: What it is needed for, e.g. ``"training"``.
        install: The command that installs it.
    """

    def __init__(self, package: str, purpose: str, install: str) -> None:
        super().__init__(f"{package} is needed for {purpose} and is not installed: {install}")
        self._parts = (package, purpose, install)

    def __reduce__(self) -> tuple[type[MissingPackageError], tuple[str, str, str]]:
        return type(self), self._parts


class WorkError(EdgeFerError):
    """The input was good, but the work failed."""


class GateError(WorkError):
    """A converted model lost more accuracy than allowed, or is not what was asked for."""


class SourceLostError(WorkError):
    """A source that was open has gone and does not come back."""


class ReaderGoneError(WorkError):
    """Who read standard output has gone (``edge-fer run … --jsonl - | head``): the command ends."""


class StorageError(WorkError):
    """A file cannot be written: the disk is full or the place is not writable."""
