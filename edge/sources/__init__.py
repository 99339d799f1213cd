"""Where frames come from."""

from __future__ import annotations

import glob
import logging
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Literal, Protocol, Self

from edge_fer.errors import SourceError
from edge_fer.files import PICTURES
from edge_fer.frame import Frame

log = logging.getLogger(__name__)

Kind = Literal["stdin", "picamera", "camera", "stream", "file"]
"""What a source is, by what it is called; a stream may turn out to be a file on a server."""

_PAUSE = 2.0


class Source(Protocol):
    """A stream of frames: a context manager to iterate over once."""

    @property
    def live(self) -> bool:
        """Whether frames come by themselves and are lost when not taken."""

    @property
    def fps(self) -> float | None:
        """Frames a second, or None for pictures."""

    @property
    def count(self) -> int | None:
        """Number of frames, where it is known."""

    @property
    def files(self) -> Sequence[Path]:
        """The files that are read, which no sink may overwrite."""

    def __iter__(self) -> Iterator[Frame]: ...

    def __enter__(self) -> Self: ...

    def __exit__(self, *_: object) -> None: ...


def open_source(
    where: str | int | Path = 0,
    *,
    width: int | None = None,
    height: int | None = None,
    fps: float | None = None,
    loop: bool = False,
    stall: float | None = None,
    wait: bool = False,
    on_event: Callable[[str], None] | None = None,
) -> Source:
    """Open a source of frames.

    What is live (a camera, a stream, a looped file) is read by a thread that keeps the newest
    frame, and is opened again when it fails (see ``supervised``). Files are read frame by frame,
    none lost.

    Args:
        where: A camera's number or ``/dev/videoN``; ``"picamera"``; a picture; a folder or glob of
            pictures; a video file; a stream's URL (``rtsp://``, ``http://``); or ``-``: a picture
            or MJPEG on standard input.
        width: Columns to ask a camera for.
        height: Rows to ask a camera for.
        fps: Frames a second to ask a camera for.
        loop: Play a video file again and again at its own pace, as if it were live.
        stall: Seconds without a frame after which a live source is opened again; 5 if None.
        wait: Wait for a camera or stream that does not open yet, instead of raising.
        on_event: Told in a line when a live source is lost and found again.

    Raises:
        SourceError: There is no such source, or it does not open.
        MissingPackageError: ``"picamera"`` without picamera2.
    """
    stall = 5.0 if stall is None else stall

    def again() -> Source:
        return open_once(where, width=width, height=height, fps=fps, loop=loop, stall=stall)

    wait = wait and kind_of(where) in ("picamera", "camera", "stream")
    first = _when_it_opens(again, on_event) if wait else again()
    if not first.live:
        return first
    from edge_fer.sources.supervised import Supervised

    return Supervised(again, first=first, stall=stall, on_event=on_event)


def kind_of(where: str | int | Path) -> Kind:
    """What a source is, by what it is called; nothing is opened."""
    text = str(where)
    if text == "-":
        return "stdin"
    if text == "picamera":
        return "picamera"
    if text.isdigit() or text.startswith("/dev/video"):
        return "camera"
    return "stream" if "://" in text else "file"


def open_once(
    where: str | int | Path = 0,
    *,
    width: int | None = None,
    height: int | None = None,
    fps: float | None = None,
    loop: bool = False,
    stall: float = 5.0,
) -> Source:
    """Open a source that nobody watches: a live one is lost when it fails.

    Args:
        where: As for ``open_source``.
        width: As for ``open_source``.
        height: As for ``open_source``.
        fps: As for ``open_source``.
        loop: As for ``open_source``.
        stall: Seconds after which a read from a stream that gets nothing gives up.

    Raises:
        SourceError: There is no such source, or it does not open.
        MissingPackageError: ``"picamera"`` without picamera2.
    """
    text, kind = str(where), kind_of(where)
    if kind == "stdin":
        from edge_fer.sources.stdin import StandardInput

        return StandardInput()
    if kind == "picamera":
        from edge_fer.sources.picamera import PiCamera

        width = width or (height or 480) * 4 // 3
        return PiCamera(size=(width, height or width * 3 // 4), fps=fps)
    if kind == "camera":
        from edge_fer.sources.camera import Camera

        return Camera(text, width=width, height=height, fps=fps)
    if kind == "stream":
        from edge_fer.sources.camera import open_url

        return open_url(text, stall)
    if loop:
        return _open_looped(text)
    return _open_files(text)


def _when_it_opens(opener: Callable[[], Source], on_event: Callable[[str], None] | None) -> Source:
    """Try until it opens; each new reason why it does not is told once."""
    say = on_event or (lambda text: log.warning("%s", text))
    told = ""
    while True:
        try:
            return opener()
        except SourceError as e:
            if str(e) != told:
                told = str(e)
                say(f"waiting for the source: {told}")
            time.sleep(_PAUSE)


def _open_looped(text: str) -> Source:
    from edge_fer.sources.looped import Looped

    path = Path(text)
    if not path.is_file() or path.suffix.lower() in PICTURES:
        raise SourceError(f"--loop plays a video file again and again; {text} is none")
    return Looped(path)


def _open_files(text: str) -> Source:
    from edge_fer.sources.pictures import Pictures
    from edge_fer.sources.video import Video

    path = Path(text)
    if path.is_dir():
        files = sorted(p for p in path.iterdir() if p.suffix.lower() in PICTURES)
        if not files:
            raise SourceError(f"{path} holds no pictures ({', '.join(sorted(PICTURES))})")
        return Pictures(files)
    if path.exists():
        return Pictures([path]) if path.suffix.lower() in PICTURES else Video(path)
    if glob.has_magic(text):
        files = sorted(Path(p) for p in glob.glob(text, recursive=True))  # noqa: PTH207
        files = [p for p in files if p.suffix.lower() in PICTURES]
        if not files:
            raise SourceError(f"no picture matches {text}")
        return Pictures(files)
    raise SourceError(
        f"{text}: no such file; give a camera number, 'picamera', a picture, a folder, a video or"
        " a stream's URL"
    )
