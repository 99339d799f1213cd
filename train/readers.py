"""Reading FER-2013 in the forms its users have it.

* the challenge's ``fer2013.csv`` (``emotion,pixels,Usage``), ``fer2013.tar.gz`` with it inside, and
  ``icml_face_data.csv`` (``emotion, Usage, pixels``);
* Kaggle's folder or zip of JPEG files (``train/happy/Training_123.jpg``), the split taken from the
  file name, else from the folder;
* any folder or zip with one sub-folder a class.
"""

from __future__ import annotations

import csv
import io
import sys
import tarfile
import zipfile
from collections.abc import Iterable, Iterator
from dataclasses import replace
from itertools import chain
from pathlib import Path, PurePosixPath

import cv2
import numpy as np
from numpy.typing import NDArray

from edge_fer.card import InputSpec
from edge_fer.crop import prepare
from edge_fer.errors import DataError
from edge_fer.files import PICTURES
from edge_fer.labels import FER_LABELS, class_number
from edge_fer.train.dataset import PRIVATE, PUBLIC, TRAINING, Dataset, stratified
from edge_fer.train.votes import read_votes

SIDE = 48
"""Height and width of FER-2013's pictures."""

SPLIT_SEED = 0
"""Divides a set without splits; no command changes it, or one would judge by what another trained
on."""

_SPLIT_WORDS = {
    "training": TRAINING,
    "train": TRAINING,
    "publictest": PUBLIC,
    "public": PUBLIC,
    "validation": PUBLIC,
    "validate": PUBLIC,
    "dev": PUBLIC,
    "valid": PUBLIC,
    "val": PUBLIC,
    "privatetest": PRIVATE,
    "private": PRIVATE,
    "test": PRIVATE,
}
_UNKNOWN = 255
_NEEDED = {"emotion", "pixels"}
_TABLE = ".csv file with the columns emotion and pixels"
_ENCODING = "utf-8-sig"  # spreadsheets put a byte order mark in front


def load(
    path: Path,
    seed: int = SPLIT_SEED,
    votes: Path | None = None,
    names: tuple[str, ...] = (),
) -> Dataset:
    """Read a data set; duplicates across splits leave training.

    A set without a validation split gives a tenth of its training pictures to it, stratified over
    the classes; a set without any split is divided 80:10:10 the same way.

    Args:
        path: A ``.csv``, ``.tar.gz``, ``.zip`` or folder.
        seed: Chooses the pictures where a split has to be made.
        votes: FER+'s ``fer2013new.csv``, whose rows are those of FER-2013's CSV.
        names: The classes, in the order of their numbers; pictures of others are left out. The
            emotions where empty, or the names of the sub-folders where none is an emotion's.

    Raises:
        DataError: It does not exist, is none of these, or a row or picture in it is broken.
    """
    if not path.exists():
        raise DataError(
            f"{path}: no such file or folder; give FER-2013 as .csv, .tar.gz, .zip or folder"
        )
    kind = "".join(path.suffixes[-2:]).lower()
    if path.is_dir():
        raw = _from_pictures(_folder_files(path), str(path), names)
    elif kind.endswith(".csv"):
        with path.open(newline="", encoding=_ENCODING, errors="replace") as f:
            raw = _from_csv(f, str(path))
    elif kind.endswith((".tar.gz", ".tgz", ".tar")):
        raw = _from_tar(path)
    elif kind.endswith(".zip"):
        raw = _from_zip(path, names)
    else:
        raise DataError(f"{path} is no data set; give FER-2013 as .csv, .tar.gz, .zip or folder")
    if votes is not None:
        raw = _with_votes(raw, votes)
    if names and raw.names != names:
        raw = raw.known_to(names)
    return _with_splits(raw, seed).without_leaks()


def _from_csv(lines: Iterable[str], where: str) -> Dataset:
    csv.field_size_limit(min(sys.maxsize, 2**31 - 1))
    rows = csv.reader(lines)
    try:
        header = [name.strip().lower() for name in next(rows, [])]
        if not set(header) >= _NEEDED:
            raise DataError(f"{where}: the first line must name the columns emotion, pixels, Usage")
        emotion, pixels = header.index("emotion"), header.index("pixels")
        usage = header.index("usage") if "usage" in header else None
        pictures, labels, splits = [], [], []
        for row in rows:
            if not row:
                continue
            line = f"{where}, line {rows.line_num}"
            if len(row) != len(header):
                raise DataError(
                    f"{line}: {len(row)} columns where the first line names {len(header)}"
                )
            pictures.append(_pixels(row[pixels], line))
            labels.append(_label(row[emotion], line))
            splits.append(_UNKNOWN if usage is None else _split(row[usage], line))
    except csv.Error as e:
        raise DataError(f"{where}, line {rows.line_num}: not a CSV row ({e})") from e
    return _assemble(pictures, labels, splits, where)


def _pixels(text: str, line: str) -> NDArray[np.uint8]:
    if text.isascii() and text.replace(" ", "").isdigit():  # no doubt: the quick way
        values = np.fromstring(text, np.int32, sep=" ")
        if len(values) == SIDE * SIDE and values.max() <= 255 and values.min() >= 0:
            return values.astype(np.uint8).reshape(SIDE, SIDE)
    words = text.split()
    if len(words) != SIDE * SIDE:
        raise DataError(
            f"{line}: {len(words)} pixels where {SIDE}x{SIDE} = {SIDE * SIDE} are needed"
        )
    try:
        values = np.array(words, np.int32)
    except (ValueError, OverflowError) as e:
        raise DataError(f"{line}: a pixel is not a whole number") from e
    if values.min() < 0 or values.max() > 255:
        raise DataError(f"{line}: a pixel lies outside 0..255")
    return values.astype(np.uint8).reshape(SIDE, SIDE)


def _label(text: str, line: str) -> int:
    number = class_number(text)
    if number is None:
        word = text.strip()[:20]
        raise DataError(f"{line}: emotion {word!r} is not one of 0..{len(FER_LABELS) - 1}")
    return number


def _split(text: str, line: str) -> int:
    split = _SPLIT_WORDS.get(text.strip().lower())
    if split is None:
        raise DataError(
            f"{line}: usage {text.strip()[:20]!r} is not Training, PublicTest or PrivateTest"
        )
    return split


def _from_tar(path: Path) -> Dataset:
    try:
        with tarfile.open(path) as tar:
            for member in tar:
                content = tar.extractfile(member) if member.name.lower().endswith(".csv") else None
                if content is not None:
                    with io.TextIOWrapper(content, _ENCODING, "replace", newline="") as f:
                        first = f.readline()
                        if _columns(first) >= _NEEDED:
                            return _from_csv(chain([first], f), f"{path}:{member.name}")
    except DataError:
        raise
    except Exception as e:  # a damaged archive raises many kinds of errors
        raise DataError(f"{path} is not a whole tar archive ({_line(e)})") from e
    raise DataError(f"{path} holds no {_TABLE}; give the challenge's fer2013.tar.gz")


def _from_zip(path: Path, names: tuple[str, ...]) -> Dataset:
    try:
        with zipfile.ZipFile(path) as z:
            files = sorted(n for n in z.namelist() if not n.endswith("/"))
            if any(PurePosixPath(n).suffix.lower() in PICTURES for n in files):
                return _from_pictures(((n, z.read(n)) for n in files), str(path), names)
            columns = {n: _columns(_head(z, n)) for n in files if n.lower().endswith(".csv")}
            # The challenge's archive also holds its training part alone, without splits.
            tables = sorted(columns, key=lambda n: "usage" not in columns[n])
            for name in (n for n in tables if columns[n] >= _NEEDED):
                with io.TextIOWrapper(z.open(name), _ENCODING, "replace", newline="") as f:
                    return _from_csv(f, f"{path}:{name}")
    except DataError:
        raise
    except Exception as e:  # a damaged archive raises many kinds of errors
        raise DataError(f"{path} is not a whole zip archive ({_line(e)})") from e
    raise DataError(f"{path} holds neither pictures nor a {_TABLE}")


def _head(archive: zipfile.ZipFile, name: str) -> str:
    with archive.open(name) as f:
        return f.readline(1000).decode(_ENCODING, "replace")


def _columns(first_line: str) -> set[str]:
    return {name.strip().lower() for name in first_line.split(",")}


def _folder_files(path: Path) -> Iterator[tuple[str, bytes]]:
    for file in sorted(p for p in path.rglob("*") if p.is_file()):
        if file.suffix.lower() in PICTURES:
            yield file.relative_to(path).as_posix(), file.read_bytes()


def _from_pictures(
    files: Iterable[tuple[str, bytes]], where: str, names: tuple[str, ...]
) -> Dataset:
    spec = InputSpec(SIDE, SIDE)
    pictures, folders, splits, strange = [], [], [], ""
    for name, content in files:
        place = PurePosixPath(name)
        if place.suffix.lower() not in PICTURES or place.name.startswith("."):
            continue
        try:
            picture = cv2.imdecode(np.frombuffer(content, np.uint8), cv2.IMREAD_GRAYSCALE)
        except cv2.error:  # empty, or larger than OpenCV reads
            picture = None
        if picture is None:
            raise DataError(f"{where}: {name} is not a picture, or is cut short")
        pictures.append(prepare(np.asarray(picture, np.uint8), spec)[..., 0])
        folders.append((place.parent.name, name))
        splits.append(_split_of_name(place))
        strange = name if splits[-1] == _UNKNOWN else strange
    if strange and set(splits) != {_UNKNOWN}:
        raise DataError(
            f"{where}: the split of {strange} is not known, those of others are; name the folders"
            " train, validation and test"
        )
    names, labels = _named(folders, where, names)
    return replace(_assemble(pictures, labels, splits, where), names=names)


def _named(
    folders: list[tuple[str, str]], where: str, names: tuple[str, ...]
) -> tuple[tuple[str, ...], list[int]]:
    """The classes, and each picture's, from the folders they lie in."""
    found = sorted({folder for folder, _ in folders})
    emotions = [folder for folder in found if class_number(folder) is not None]
    if not names and not emotions and len(found) > 1:
        names = tuple(found)  # classes of the user's own
    if set(names) <= set(FER_LABELS):
        names = FER_LABELS
    spelt = {folder: FER_LABELS[class_number(folder) or 0] for folder in emotions}
    labels = []
    for folder, name in folders:
        word = folder if folder in names else spelt.get(folder)
        if word not in names:
            raise DataError(
                f"{where}: {name} does not lie in a folder named after"
                f" {'an emotion' if names == FER_LABELS else 'a class'} ({', '.join(names)});"
                " --labels names other classes"
            )
        labels.append(names.index(word))
    return names, labels


def _split_of_name(place: PurePosixPath) -> int:
    usage = place.stem.split("_")[0].lower()
    if usage in ("training", "publictest", "privatetest"):
        return _SPLIT_WORDS[usage]
    folders = (part.lower() for part in reversed(place.parts[:-2]))
    return next((_SPLIT_WORDS[f] for f in folders if f in _SPLIT_WORDS), _UNKNOWN)


def _assemble(
    pictures: list[NDArray[np.uint8]], labels: list[int], splits: list[int], where: str
) -> Dataset:
    if not pictures:
        raise DataError(
            f"{where} holds no pictures; give FER-2013 as .csv, .tar.gz, .zip or folder"
        )
    return Dataset(
        pixels=np.stack(pictures),
        labels=np.array(labels, np.int64),
        splits=np.array(splits, np.uint8),
        rows=np.arange(len(labels), dtype=np.int64),
    )


def _with_splits(data: Dataset, seed: int) -> Dataset:
    splits = data.splits.copy()
    splits[splits == _UNKNOWN] = TRAINING
    # A tenth of the whole, also for the second split, which is taken from what the first left.
    share = 0.1
    for held_out in (PRIVATE, PUBLIC):
        if not (splits == held_out).any():
            training = np.flatnonzero(splits == TRAINING)
            splits[training[stratified(data.labels[training], share, seed + held_out)]] = held_out
            share /= 1 - share
    return replace(data, splits=splits)


def _with_votes(data: Dataset, path: Path) -> Dataset:
    votes = read_votes(path)
    if len(votes) != len(data):
        raise DataError(
            f"{path} has {len(votes)} rows and the data set {len(data)}: votes go with the whole"
            " fer2013.csv, row by row"
        )
    return replace(data, votes=votes)


def _line(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0]
