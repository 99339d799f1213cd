"""Where readings go."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Protocol, Self

from edge_fer.errors import InputError
from edge_fer.files import PICTURES

# Lines of text are written where OpenCV cannot be loaded, too.
if TYPE_CHECKING:
    from edge_fer.frame import Reading
    from edge_fer.sources import Source

VIDEOS = frozenset({".mp4", ".mov", ".mkv", ".avi", ".webm"})


class Sink(Protocol):
    """What takes readings; a context manager that leaves whole files however it ends."""

    def write(self, reading: Reading) -> None:
        """Take one reading."""

    def __enter__(self) -> Self: ...

    def __exit__(self, *_: object) -> None: ...


def open_saver(path: Path, source: Source) -> Sink:
    """A sink that saves annotated frames: a video, one picture or a folder of pictures.

    Args:
        path: A video file (``.mp4``), a picture file for a source of one picture, or a folder.
        source: Where the frames come from.

    Raises:
        InputError: The suffix does not go with the source.
    """
    from edge_fer.sinks.pictures import PictureSink
    from edge_fer.sinks.video import VideoSink

    suffix = path.suffix.lower()
    if suffix in VIDEOS:
        if source.fps is None:
            raise InputError(f"--save {path}: pictures are saved as pictures; name a folder")
        return VideoSink(path, source.fps, paced=source.live)
    if suffix in PICTURES:
        if source.count != 1:
            video = "" if source.fps is None else " or an .mp4"
            raise InputError(f"--save {path}: the source has many frames; name a folder{video}")
        return PictureSink(path.parent, name=path.name)
    if suffix and not path.is_dir():
        known = ", ".join(sorted(VIDEOS | PICTURES))
        raise InputError(f"--save {path}: unknown format {suffix}; use a folder or one of {known}")
    return PictureSink(path)


def check_targets(targets: Sequence[str], source: Source) -> None:
    """Refuse what would overwrite the source, or two sinks that would write one file.

    Args:
        targets: Files and folders to write, ``-`` for standard output.
        source: Where the frames come from.

    Raises:
        InputError: Two targets are one, or a target is a file that is read or the folder of one:
            annotated pictures keep their names.
    """
    for i, target in enumerate(targets):
        if target in targets[:i]:
            raise InputError(f"two outputs cannot both go to {target}; name another place")
    originals = {place: f for f in source.files for place in (f.resolve(), f.parent.resolve())}
    for target in targets:
        original = originals.get(Path(target).resolve()) if target != "-" else None
        if original is not None:
            raise InputError(f"{target} would overwrite {original}; name another place")
