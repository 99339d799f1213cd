"""Model files of others, looked through before Keras reads them.

A Keras file can carry code (Lambda layers, classes named by their module) and can claim sizes that
no machine has. None of it is needed to name what is in a picture, so it is refused.
"""

from __future__ import annotations

import math
import zipfile
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import Any

import h5py

from edge_fer.errors import ModelError

LARGEST = 1 << 30
"""Bytes that a model's weights may take in memory."""

_SIDE = 1024  # rows or columns of an input
_KNOWN_MODULES = ("keras", "tf_keras", "tensorflow.keras", "keras_hub")


def check_archive(path: Path) -> None:
    """Refuse a ZIP archive that would unpack to more than a model, or outside its folder.

    Raises:
        ModelError: It would, or is damaged.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            members = archive.infolist()
    except (OSError, zipfile.BadZipFile) as e:
        raise ModelError(f"{path} is no whole .keras archive ({e}); fetch it again") from e
    for member in members:
        place = PurePosixPath(member.filename.replace("\\", "/"))
        if place.is_absolute() or ".." in place.parts:
            raise ModelError(f"{path} would write outside its folder ({member.filename[:80]!r})")
    if sum(member.file_size for member in members) > LARGEST:
        raise ModelError(f"{path} unpacks to more than {LARGEST >> 20} MiB; it is no model of ours")


def check_hdf5(path: Path) -> frozenset[int]:
    """Refuse an HDF5 file that claims more than it holds or points to other files.

    Returns:
        Every number of rows, columns or channels that an array in it has.

    Raises:
        ModelError: It does, or it is damaged.
    """
    total, sizes = 0, set()
    try:
        with h5py.File(path) as file:
            for name, item in _inside(file):
                if not isinstance(item, h5py.HardLink | h5py.Dataset):
                    raise ModelError(f"{path}: {name[:80]!r} in it is a link, which no model needs")
                if isinstance(item, h5py.Dataset):
                    if item.external or item.is_virtual:
                        raise ModelError(f"{path}: {name[:80]!r} in it lies in another file")
                    total += math.prod(item.shape or ()) * item.dtype.itemsize
                    sizes |= set(item.shape or ())
    except (OSError, RuntimeError, KeyError, ValueError, TypeError) as e:
        line = (str(e).splitlines() or [type(e).__name__])[0][:120]
        raise ModelError(f"{path} is no whole HDF5 file ({line}); fetch it again") from e
    if total > LARGEST:
        raise ModelError(f"{path} claims {total >> 20} MiB of weights; {LARGEST >> 20} are allowed")
    return frozenset(sizes)


def check_config(config: Any, path: Path, unsafe: bool, sizes: frozenset[int] | None) -> None:
    """Refuse a network's description that carries code, or layers that its weights do not fill.

    Args:
        config: The description, as JSON gives it.
        path: Where it is from, for messages.
        unsafe: Let code pass.
        sizes: The sizes of the weights' arrays; None where they are not known.

    Raises:
        ModelError: It does.
    """
    for one in _tables(config):
        kind = one.get("class_name")
        if not unsafe and (kind in ("Lambda", "__lambda__", "TFOpLambda") or _strange(one)):
            raise ModelError(
                f"{path} carries code ({str(kind)[:40]}), which loading it would run; with --unsafe"
                " it is run, if you trust who made it"
            )
        for key in ("filters", "units"):
            if sizes is not None and isinstance(one.get(key), int) and one[key] not in sizes:
                raise ModelError(f"{path}: {one[key]} {key} are described, and no weights for them")
        for key in ("batch_input_shape", "batch_shape"):
            shape = one.get(key)
            if isinstance(shape, dict):
                shape = shape.get("items")
            if isinstance(shape, list) and any(_too_large(x) for x in shape):
                raise ModelError(f"{path} takes {shape}; {_SIDE} rows and columns at most")


def _inside(group: h5py.Group, prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Arrays, and links that lead elsewhere, without following those."""
    for name in group:
        link = group.get(name, getlink=True)
        where = f"{prefix}/{name}"
        if not isinstance(link, h5py.HardLink):
            yield where, link
            continue
        item = group[name]
        if isinstance(item, h5py.Group):
            if where.count("/") > 50:
                raise ModelError(f"{where[:80]!r} is nested too deep")
            yield from _inside(item, where)
        else:
            yield where, item


def _tables(value: Any) -> Iterator[dict[str, Any]]:
    waiting = [value]
    while waiting:
        one = waiting.pop()
        if isinstance(one, dict):
            yield one
            waiting.extend(one.values())
        elif isinstance(one, list):
            waiting.extend(one)


def _strange(one: dict[str, Any]) -> bool:
    module = one.get("module")
    if one.get("class_name") == "function" and one.get("registered_name") is not None:
        return True
    return isinstance(module, str) and module.split(".")[0] not in _KNOWN_MODULES


def _too_large(side: Any) -> bool:
    return isinstance(side, int) and side > _SIDE
