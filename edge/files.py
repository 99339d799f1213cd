"""Files that are written whole or not at all."""

from __future__ import annotations

import contextlib
import os
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from edge_fer.errors import InputError, StorageError

PICTURES = frozenset({".jpg", ".jpeg", ".png", ".bmp", ".webp", ".tif", ".tiff", ".pgm", ".ppm"})
"""Suffixes of the picture files that are read and written."""

KERAS_MODELS = frozenset({".keras", ".h5", ".hdf5"})
"""Suffixes of the files that Keras loads."""


@contextmanager
def write_whole(path: Path) -> Iterator[Path]:
    """Give a path beside ``path`` to write to, and put it in place when the block ends well.

    The file appears under its name complete, or not at all; a block that raises leaves no trace.

    Args:
        path: The file to make or replace; its folder is made if it is missing.

    Yields:
        The path to write to. It keeps the suffix, since writers choose a format by it.

    Raises:
        StorageError: The disk is full, or the place is not writable.
    """
    path = Path(os.path.realpath(path))  # a link stays one, its target is replaced
    if os.path.exists(path) and not os.path.isfile(path):  # noqa: PTH110, PTH113
        # A pipe or a device is written to as it is.
        try:
            yield path
        except OSError as e:
            raise storage_error(path, e) from e
        return
    part = part_beside(path)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        yield part
        part.replace(path)
    except OSError as e:
        raise storage_error(path, e) from e
    finally:
        with contextlib.suppress(OSError):  # it may be the folder itself that is amiss
            part.unlink(missing_ok=True)


def check_page(path: Path) -> None:
    """Make sure that a report's name is that of a page.

    Raises:
        InputError: It is no ``.html`` file.
    """
    if path.suffix.lower() not in (".html", ".htm"):
        raise InputError(f"--report {path}: the report is a page; name an .html file")


def part_beside(path: Path) -> Path:
    """A hidden file beside ``path``, of a name nobody else uses, to write to and then rename.

    Its name does not hold the other's: that may be as long as the file system allows.
    """
    return path.parent / f".{uuid.uuid4().hex}.part{path.suffix}"


def storage_error(path: Path | str, cause: OSError) -> StorageError:
    """The error to raise where writing ``path`` failed with ``cause``."""
    return StorageError(f"{path} cannot be written: {cause.strerror or cause}")
