"""Pictures in files."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Self

import cv2
import numpy as np

from edge_fer.errors import SourceError
from edge_fer.frame import Frame

log = logging.getLogger(__name__)


class Pictures:
    """Pictures one after the other, none lost.

    A file of several that is no picture is passed over with a warning; when it is the only one,
    or none can be read, that is an error.

    Args:
        files: What to read, in order.
    """

    live, fps = False, None

    def __init__(self, files: Sequence[Path]) -> None:
        self.files = files
        self.count: int | None = len(files)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def __iter__(self) -> Iterator[Frame]:
        index = 0
        for file in self.files:
            try:
                pixels = cv2.imdecode(np.fromfile(file, np.uint8), cv2.IMREAD_COLOR)
            except (OSError, cv2.error):
                pixels = None
            if pixels is not None:
                yield Frame(np.asarray(pixels, np.uint8), index, 0.0, name=file.name)
                index += 1
            elif len(self.files) > 1:
                log.warning("%s is not a picture, or is cut short: passed over", file)
        if not index:
            what = str(self.files[0]) + (" and the files beside it" if len(self.files) > 1 else "")
            raise SourceError(f"{what}: not a picture, or cut short; give a JPEG or PNG file, say")
