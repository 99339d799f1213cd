"""``edge-fer run``: read emotions live or from files."""

from __future__ import annotations

import signal
import sys
import time
from collections import Counter, deque
from contextlib import ExitStack
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING

import click

from edge_fer.commands.options import detector_option
from edge_fer.commands.talk import say

if TYPE_CHECKING:
    from edge_fer.frame import Reading
    from edge_fer.sinks import Sink
    from edge_fer.sinks.window import Window
    from edge_fer.sources import Source


@click.command("run", short_help="Read emotions from a camera, pictures or a video.")
@click.argument("source", default="0")
@click.option(
    "--model", default="fer-base", show_default=True, help="Shipped model, or a .tflite file."
)
@click.option("--contempt", is_flag=True, help="Name contempt too, where the model knows it.")
@detector_option
@click.option(
    "--min-score",
    type=click.FloatRange(0.01, 0.99),
    default=0.5,
    show_default=True,
    help="Faces the detector is less sure of are left out.",
)
@click.option(
    "--threads",
    type=click.IntRange(1, 64),
    default=1,
    show_default=True,
    help="Threads of the networks.",
)
@click.option(
    "--save",
    type=click.Path(path_type=Path),
    help="Annotated video (.mp4), picture, or folder of pictures.",
)
@click.option("--jsonl", metavar="PATH|-", help="One JSON line a frame; - is standard output.")
@click.option("--csv", "table", metavar="PATH|-", help="One CSV row a face.")
@click.option(
    "--show/--no-show", default=None, help="Open a window. Default: at a terminal with a display."
)
@click.option("--width", type=int, help="Columns to ask a camera for.")
@click.option("--height", type=int, help="Rows to ask a camera for.")
@click.option("--fps", type=float, help="Frames a second to ask a camera for.")
def command(
    source: str,
    model: str,
    contempt: bool,
    detector: str,
    min_score: float,
    threads: int,
    save: Path | None,
    jsonl: str | None,
    table: str | None,
    show: bool | None,
    width: int | None,
    height: int | None,
    fps: float | None,
) -> int:
    """Find the faces in SOURCE and read their emotions.

    SOURCE is a camera's number (default 0), picamera, a picture, a folder or glob of pictures, a
    video, or a stream's URL. Ctrl-C ends it with all files whole.
    """
    from edge_fer.classifier import Classifier
    from edge_fer.detector import open_detector
    from edge_fer.pipeline import Pipeline
    from edge_fer.sinks import check_targets, open_saver
    from edge_fer.sinks.lines import CsvTable, JsonLines
    from edge_fer.sources import open_source

    stop = _StopOnSignal()
    with ExitStack() as stack:
        # The model is checked before a camera is opened.
        classifier = Classifier(model, threads, leave_out=() if contempt else ("contempt",))
        frames = stack.enter_context(open_source(source, width=width, height=height, fps=fps))
        finder = stack.enter_context(open_detector(detector, min_score, threads))
        outputs = (str(save) if save else None, jsonl, table)
        check_targets([target for target in outputs if target], frames)
        sinks: list[Sink] = []
        if save:
            sinks.append(stack.enter_context(open_saver(save, frames)))
        if jsonl:
            sinks.append(stack.enter_context(JsonLines(jsonl)))
        if table:
            sinks.append(stack.enter_context(CsvTable(table, classifier.labels)))
        window = _open_window(show, frames, stop)
        if window is not None:
            sinks.append(stack.enter_context(window))
        summary = _Summary(frames)
        for reading in Pipeline(finder, classifier).run(frames):
            for sink in sinks:
                sink.write(reading)
            summary.add(reading)
            if stop.signal or (window is not None and window.closed):
                break
        summary.close()
    # Ending a camera by hand is how it is meant to end; a file has then not been read whole.
    return 128 + stop.signal if stop.signal and not frames.live else 0


def _open_window(show: bool | None, source: Source, stop: _StopOnSignal) -> Window | None:
    """A window where it is asked for, or where somebody sits at a terminal with a display."""
    pictures = source.fps is None
    if show is False or (show is None and (pictures or not sys.stdin.isatty())):
        return None
    from edge_fer.sinks.window import Window, display_works

    if not display_works():
        if show:
            say("edge-fer: no display can be reached: going on without a window")
        return None
    return Window(hold=(lambda: not stop.signal) if pictures else None)


class _StopOnSignal:
    """Remembers SIGINT, SIGTERM and SIGHUP, so that no line is cut in the middle."""

    def __init__(self) -> None:
        self.signal = 0
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, self._remember)

    def _remember(self, number: int, _frame: FrameType | None) -> None:
        if self.signal:  # asked twice: whatever blocks does not matter any more
            raise KeyboardInterrupt
        self.signal = number


class _Summary:
    """The live line, and the figures at the end."""

    def __init__(self, source: Source) -> None:
        self._count, self._live = source.count, sys.stderr.isatty()
        self._start = self._shown = time.monotonic()
        self._recent: deque[float] = deque(maxlen=30)
        self._frames = 0
        self._emotions: Counter[str] = Counter()
        self._stages: dict[str, float] = {}

    def add(self, reading: Reading) -> None:
        now = time.monotonic()
        self._recent.append(now)
        self._frames += 1
        self._emotions.update(face.emotion or "?" for face in reading.faces)
        for name, seconds in reading.stages.items():
            self._stages[name] = self._stages.get(name, 0.0) + seconds
        if self._live and now - self._shown > 0.2:
            self._shown = now
            of = f"/{self._count}" if self._count else ""
            span = now - self._recent[0]
            fps = (len(self._recent) - 1) / span if span else 0.0
            faces = ", ".join(f"{f.emotion} {f.confidence:.0%}" for f in reading.faces) or "no face"
            line = f"frame {self._frames}{of}  {fps:.0f} FPS  {faces}"
            click.echo(f"\r\x1b[2K{line[:100]}", err=True, nl=False)

    def close(self) -> None:
        took = time.monotonic() - self._start
        stages = ", ".join(
            f"{name} {1000 * s / self._frames:.1f} ms" for name, s in self._stages.items()
        )
        found = "".join(f", {count} {name}" for name, count in self._emotions.most_common())
        clear = "\r\x1b[2K" if self._live else ""
        click.echo(
            f"{clear}{self._frames} frames, {self._emotions.total()} faces in {took:.1f} s:"
            f" {self._frames / took:.0f} FPS" + (f" ({stages})" if stages else "") + found,
            err=True,
        )
