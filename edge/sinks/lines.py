"""Readings as lines of text: JSON Lines and CSV."""

from __future__ import annotations

import contextlib
import csv
import io
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, Self

from edge_fer.errors import ReaderGoneError
from edge_fer.files import storage_error

if TYPE_CHECKING:
    from edge_fer.frame import Reading

_COLUMNS = "frame time source id x y width height score emotion confidence uncertain"


class Lines:
    """A text file that at every moment holds whole lines only.

    Each line goes out at once, so that others can follow the file; where the disk is full, what
    was written of the last line is taken back.

    It is opened with the first line: a run that fails before leaves an older file as it is.

    Args:
        path: The file, or ``-`` for standard output.
    """

    def __init__(self, path: str) -> None:
        self._name, self._whole = path, 0
        self._file: BinaryIO | None = None

    def write(self, text: str) -> None:
        """Write one or more whole lines.

        Raises:
            StorageError: The disk is full, or the file cannot be opened.
            ReaderGoneError: Who reads standard output has gone.
        """
        data = text.encode(errors="surrogateescape")  # file names need not be Unicode
        file = self._file = self._file or self._open()
        try:
            rest = memoryview(data)
            while rest:
                rest = rest[file.write(rest) :]
            file.flush()
            self._whole += len(data)
        except BrokenPipeError as e:
            raise ReaderGoneError(f"who read {self._name} has gone") from e
        except OSError as e:
            if self._name != "-":
                with contextlib.suppress(OSError):  # a device has no length
                    file.truncate(self._whole)
                    file.seek(self._whole)
            raise storage_error(self._name, e) from e

    def close(self) -> None:
        """Close the file; standard output stays open."""
        if self._name != "-" and self._file is not None:
            self._file.close()

    def _open(self) -> BinaryIO:
        if self._name == "-":
            return sys.stdout.buffer
        try:
            Path(self._name).parent.mkdir(parents=True, exist_ok=True)
            return Path(self._name).open("wb", buffering=0)
        except OSError as e:
            raise storage_error(self._name, e) from e


class JsonLines:
    """One JSON object a frame.

    Args:
        path: The file, or ``-`` for standard output.
    """

    def __init__(self, path: str) -> None:
        self._lines = Lines(path)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._lines.close()

    def write(self, reading: Reading) -> None:
        """Write one line."""
        self._lines.write(json.dumps(reading.to_dict()) + "\n")


class CsvTable:
    """One row a face, with a header.

    Args:
        path: The file, or ``-`` for standard output.
        labels: The classifier's labels, one column each.
        people: Also the person and the likeness, last.
    """

    def __init__(self, path: str, labels: Sequence[str], people: bool = False) -> None:
        self._lines, self._labels = Lines(path), labels
        self._last = ("person", "likeness") if people else ()
        self._header = _csv_row([*_COLUMNS.split(), *labels, *self._last])

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._lines.close()

    def write(self, reading: Reading) -> None:
        """Write a row for every face."""
        row = reading.to_dict()
        start = [row["frame"], row["time"], row.get("source", "")]
        text = self._header + "".join(
            _csv_row(
                [
                    *start,
                    "" if face["id"] is None else face["id"],
                    *face["box"],
                    face["score"],
                    face["emotion"],
                    face["confidence"],
                    int(face["uncertain"]),
                    *(face["probabilities"][name] for name in self._labels),
                    *(face.get(name) for name in self._last),
                ]
            )
            for face in row["faces"]
        )
        self._header = ""
        if text:
            self._lines.write(text)


def _csv_row(values: Sequence[object]) -> str:
    out = io.StringIO()
    csv.writer(out, lineterminator="\n").writerow(values)
    return out.getvalue()
