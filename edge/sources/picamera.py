"""The Raspberry Pi's camera, through picamera2."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any, Self

import numpy as np

from edge_fer.errors import MissingPackageError, SourceError, SourceLostError
from edge_fer.frame import Frame


class PiCamera:
    """The Pi's camera.

    Args:
        size: Columns and rows to ask for.
        fps: Frames a second to ask for.
        number: Which camera.

    Raises:
        MissingPackageError: picamera2 is not installed.
        SourceError: There is no camera, or another program has it.
    """

    live, count, files = True, None, ()

    def __init__(
        self, size: tuple[int, int] = (640, 480), fps: float | None = None, number: int = 0
    ) -> None:
        try:
            from picamera2 import Picamera2
        except ImportError as e:
            raise MissingPackageError(
                "picamera2",
                "the Pi's camera",
                "sudo apt install python3-picamera2, and make the virtual environment with"
                " --system-site-packages",
            ) from e
        except ValueError as e:  # "numpy.dtype size changed": apt's parts are built for NumPy 1
            raise SourceError(
                f"picamera2 does not load beside this NumPy ({e}); pip install 'numpy<2'"
            ) from e
        self.fps: float | None = fps or 30.0
        self._camera: Any = None
        try:
            self._camera = Picamera2(number)
            # What picamera2 calls RGB888 lies in memory as blue, green, red: OpenCV's order.
            self._camera.configure(
                self._camera.create_video_configuration(
                    main={"format": "RGB888", "size": size},
                    controls={"FrameRate": self.fps},
                    buffer_count=4,
                )
            )
            got = self._camera.camera_configuration()["main"]
            self._camera.start()
        except (RuntimeError, IndexError, OSError) as e:
            if self._camera is not None:
                self._camera.close()
            raise SourceError(
                f"the Pi's camera {number} does not open ({e}); rpicam-hello --list-cameras shows"
                " what is there"
            ) from e
        if got["format"] != "RGB888":
            self._camera.close()
            raise SourceError(f"the Pi's camera gives {got['format']} and not RGB888")
        # The driver may round the size; rows may be padded to the memory's stride.
        self._width, self._height = got["size"]

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._camera.stop()
        self._camera.close()

    def __iter__(self) -> Iterator[Frame]:
        start, index = time.monotonic(), 0
        while True:
            try:
                pixels = self._camera.capture_array("main")
            except (RuntimeError, OSError) as e:
                raise SourceLostError(
                    f"the Pi's camera gave {index} frames and failed ({e})"
                ) from e
            pixels = np.ascontiguousarray(pixels[: self._height, : self._width, :3])
            yield Frame(pixels, index, time.monotonic() - start, clock=time.time())
            index += 1
