"""Tiny data sets in the shapes of FER-2013, whose classes can be learned: a bar turned by class."""

from __future__ import annotations

import csv
import io
import os
import subprocess
import sys
import tarfile
import tomllib
import zipfile
from collections.abc import Iterable
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from edge_fer.labels import FER_LABELS
from edge_fer.train.dataset import PRIVATE, PUBLIC, TRAINING, Dataset
from edge_fer.train.recipe import Recipe
from edge_fer.train.votes import ANSWERS

SIDE = 48
VOTES_HEADER = (
    "Usage,Image name,neutral,happiness,surprise,sadness,anger,disgust,fear,contempt,unknown,NF"
)
USAGES = {TRAINING: "Training", PUBLIC: "PublicTest", PRIVATE: "PrivateTest"}

# Not narrower than 16 channels: TensorFlow 2.21 with oneDNN writes past its memory in the gradient
# of a 1x1 convolution of stride 2 with fewer float32 inputs (see test_cli_train.py).
TINY_TOML = """\
name = "toy"
epochs = 5
batch = 16
seed = 3
precision = "float32"

[input]
height = 24
width = 24

[network]
name = "residual"
options = { stem = 16, widths = [16], blocks = [1], dropout = 0.1 }

[optimizer]
peak = 0.1
warmup = 1
average = 0.8

[augment]
flip = 0
rotate = 2
erase = 0.1
"""


def tiny_recipe(**changes: object) -> Recipe:
    """The smallest recipe that learns the toy data."""
    return Recipe.from_dict({**tomllib.loads(TINY_TOML), **changes})


def bar_picture(label: int, rng: np.random.Generator) -> NDArray[np.uint8]:
    """A bright bar whose angle tells the class, on noise; no two are the same."""
    angle = label * np.pi / len(FER_LABELS) + rng.uniform(-0.08, 0.08)
    y, x = np.mgrid[:SIDE, :SIDE] - (SIDE - 1) / 2
    distance = np.abs(np.cos(angle) * y - np.sin(angle) * x - rng.uniform(-3, 3))
    picture = rng.normal(90, 12, (SIDE, SIDE)) + 110 * (distance < 4)
    return np.clip(picture, 0, 255).astype(np.uint8)


def toy_dataset(training: int = 24, public: int = 8, private: int = 4, seed: int = 0) -> Dataset:
    """So many pictures of every class in each split, in random order."""
    rng = np.random.default_rng(seed)
    splits = [TRAINING] * training + [PUBLIC] * public + [PRIVATE] * private
    cells = [(label, split) for label in range(len(FER_LABELS)) for split in splits]
    cells = [cells[i] for i in rng.permutation(len(cells))]
    return Dataset(
        pixels=np.stack([bar_picture(label, rng) for label, _ in cells]),
        labels=np.array([label for label, _ in cells], np.int64),
        splits=np.array([split for _, split in cells], np.uint8),
        rows=np.arange(len(cells), dtype=np.int64),
    )


def votes_for(**taggers: int) -> NDArray[np.uint8]:
    """The votes on one picture: how many taggers gave each answer."""
    row = np.zeros(len(ANSWERS), np.uint8)
    for name, count in taggers.items():
        row[ANSWERS.index(name.replace("_", " "))] = count
    return row


def toy_votes(data: Dataset) -> NDArray[np.uint8]:
    """Made-up votes: most taggers see the label; of ten pictures two are contempt, one unknown."""
    rows = []
    for place, label in enumerate(data.labels):
        seen = {0: "unknown", 1: "contempt", 2: "contempt"}.get(place % 10, FER_LABELS[label])
        rows.append(votes_for(**{seen: 7, FER_LABELS[(label + 1) % 7]: 3}))
    return np.stack(rows)


def write_votes(path: Path, rows: Iterable[NDArray[np.uint8]]) -> Path:
    """``fer2013new.csv``."""
    lines = [f"Training,fer{i:07}.png,{','.join(map(str, row))}" for i, row in enumerate(rows)]
    path.write_text("\n".join([VOTES_HEADER, *lines]) + "\n")
    return path


def csv_text(data: Dataset, columns: tuple[str, ...] = ("emotion", "pixels", "Usage")) -> str:
    """The set as the challenge's CSV; the columns as they are to be spelt."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(columns)
    for picture, label, split in zip(data.pixels, data.labels, data.splits, strict=True):
        cells = {
            "emotion": str(label),
            "pixels": " ".join(map(str, picture.ravel())),
            "usage": USAGES[int(split)],
        }
        writer.writerow([cells[name.strip().lower()] for name in columns])
    return text.getvalue()


def write_csv(path: Path, data: Dataset) -> Path:
    """``fer2013.csv``."""
    path.write_text(csv_text(data), "utf-8")
    return path


def write_icml(path: Path, data: Dataset) -> Path:
    """``icml_face_data.csv``: other order, blanks in the header."""
    path.write_text(csv_text(data, ("emotion", " Usage", " pixels")), "utf-8")
    return path


def tar_bytes(data: Dataset) -> bytes:
    """The challenge's archive, not compressed: other files lie before and after the CSV."""
    content = io.BytesIO()
    with tarfile.open(fileobj=content, mode="w") as tar:
        for name, text in (
            ("fer2013/README", "a note"),
            ("fer2013/fer2013.csv", csv_text(data)),
            ("fer2013/fer2013.bib", "a reference"),
        ):
            member = tarfile.TarInfo(name)
            member.size = len(text)
            tar.addfile(member, io.BytesIO(text.encode()))
    return content.getvalue()


def png(picture: NDArray[np.uint8]) -> bytes:
    """A picture as the bytes of a PNG file."""
    return encoded(picture, ".png")


def encoded(picture: NDArray[np.uint8], suffix: str) -> bytes:
    """A picture as the bytes of a file."""
    done, content = cv2.imencode(suffix, picture)
    assert done
    return content.tobytes()


def kaggle_files(data: Dataset) -> dict[str, bytes]:
    """Kaggle's names; PNG inside, so that no pixel changes."""
    return {
        f"{'train' if split == TRAINING else 'test'}/{FER_LABELS[label]}"
        f"/{USAGES[int(split)]}_{row}.jpg": png(picture)
        for picture, label, split, row in zip(
            data.pixels, data.labels, data.splits, data.rows, strict=True
        )
    }


def class_files(data: Dataset, top: str = "") -> dict[str, bytes]:
    """One folder a class, no split in any name."""
    return {
        f"{top}{FER_LABELS[label]}/im{row}.png": png(picture)
        for picture, label, row in zip(data.pixels, data.labels, data.rows, strict=True)
    }


def write_folder(path: Path, files: dict[str, bytes]) -> Path:
    """Files in a folder."""
    for name, content in files.items():
        (path / name).parent.mkdir(parents=True, exist_ok=True)
        (path / name).write_bytes(content)
    return path


def write_zip(path: Path, files: dict[str, bytes]) -> Path:
    """Files in a zip archive."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return path


def picture_set(data: Dataset) -> set[tuple[bytes, int, int]]:
    """The set's pictures with label and split, whatever their order."""
    return {
        (picture.tobytes(), int(label), int(split))
        for picture, label, split in zip(data.pixels, data.labels, data.splits, strict=True)
    }


def run_python(code: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run code in a fresh process that finds this module."""
    path = os.pathsep.join(filter(None, [str(Path(__file__).parent), os.environ.get("PYTHONPATH")]))
    return subprocess.run(
        [sys.executable, "-c", code, *arguments],
        env={**os.environ, "PYTHONPATH": path},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )


def reference_run(base: Path) -> Path:
    """The folder of a whole run of the tiny recipe on the toy data, made once a test session."""
    out = base / "toy-reference"
    if not (out / "model.keras").exists():
        from edge_fer.train.loop import train

        train(tiny_recipe(), toy_dataset(), out)
    return out
