"""``edge-fer run``: read emotions live or from files."""

from __future__ import annotations

import signal
import sys
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Any

import click

from edge_fer.commands.options import detector_option, embedder_option, people_option
from edge_fer.commands.talk import say
from edge_fer.models import DEFAULT_MODEL

if TYPE_CHECKING:
    from edge_fer.identity.recognizer import Recognizer
    from edge_fer.sinks import Sink
    from edge_fer.sinks.window import Window
    from edge_fer.sources import Source


class _Every(click.ParamType):  # type: ignore[type-arg]
    name = "N|auto"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> int | str:
        if value == "auto" or isinstance(value, int):
            return str(value) if value == "auto" else value
        if not str(value).isascii() or not str(value).isdigit() or int(value) < 1:
            self.fail(f"{value!r} is neither 'auto' nor a number from 1", param, ctx)
        return int(value)


@click.command("run", short_help="Read emotions from a camera, pictures or a video.")
@click.argument("source", default="0", envvar="EDGE_FER_SOURCE")
@click.option(
    "--model",
    default=DEFAULT_MODEL,
    show_default=True,
    help="Shipped model, a .tflite file, or auto: the best that keeps up on this board.",
)
@click.option("--contempt", is_flag=True, help="Name contempt too, where the model knows it.")
@detector_option
@click.option("--identify", is_flag=True, help="Name those who are enrolled (edge-fer enroll).")
@people_option
@embedder_option
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
@click.option(
    "--blur-faces", is_flag=True, help="Make faces unrecognisable in what is shown and saved."
)
@click.option("--jsonl", metavar="PATH|-", help="One JSON line a frame; - is standard output.")
@click.option("--csv", "table", metavar="PATH|-", help="One CSV row a face.")
@click.option(
    "--report",
    type=click.Path(path_type=Path),
    help="A page (.html) with every person's emotions over time, and a picture beside it.",
)
@click.option(
    "--mqtt", metavar="URL", help="Broker: mqtt[s]://[USER[:PASSWORD]@]HOST[:PORT][/PREFIX]."
)
@click.option(
    "--mqtt-every",
    type=click.FloatRange(0.1),
    default=1,
    show_default=True,
    help="Seconds between two states to MQTT while nothing changes.",
)
@click.option(
    "--show/--no-show", default=None, help="Open a window. Default: at a terminal with a display."
)
@click.option(
    "--serve",
    metavar="[HOST:]PORT",
    help="Serve a web page, for this machine only or, with 0.0.0.0:PORT, for the network.",
)
@click.option(
    "--token",
    envvar="EDGE_FER_TOKEN",
    help="What visitors of the page have to know. Default: made where the network can reach it.",
)
@click.option("--width", type=int, help="Columns to ask a camera for.")
@click.option("--height", type=int, help="Rows to ask a camera for.")
@click.option("--fps", type=float, help="Frames a second to ask a camera for.")
@click.option("--loop", is_flag=True, help="Play a video again and again, as if it were live.")
@click.option(
    "--stall",
    type=click.FloatRange(0.2),
    default=5,
    show_default=True,
    help="Seconds without a frame after which a live source is opened again.",
)
@click.option(
    "--wait",
    is_flag=True,
    help="Wait for a camera or stream that is not there yet, as services do.",
)
@click.option(
    "--detect-every",
    type=_Every(),
    metavar="N|auto",
    help="Run the detector every N frames and follow faces between; auto: as motion asks for."
    " Default: auto for live sources, 1 for files.",
)
@click.option("--track/--no-track", default=True, help="Number the faces. Default: on for video.")
@click.option(
    "--smooth",
    type=click.FloatRange(0),
    default=0.6,
    show_default=True,
    help="Seconds over which a face's readings are averaged; 0 is not at all.",
)
def command(
    source: str,
    model: str,
    contempt: bool,
    detector: str,
    identify: bool,
    store: Path | None,
    embedder: str,
    min_score: float,
    threads: int,
    save: Path | None,
    blur_faces: bool,
    jsonl: str | None,
    table: str | None,
    report: Path | None,
    mqtt: str | None,
    mqtt_every: float,
    show: bool | None,
    serve: str | None,
    token: str | None,
    width: int | None,
    height: int | None,
    fps: float | None,
    loop: bool,
    stall: float,
    wait: bool,
    detect_every: int | str | None,
    track: bool,
    smooth: float,
) -> int:
    """Find the faces in SOURCE and read their emotions.

    SOURCE is a camera's number (default 0), picamera, a picture, a folder or glob of pictures, a
    video, a stream's URL, or - for a picture or MJPEG on standard input; EDGE_FER_SOURCE can name
    it, too. Ctrl-C ends it with all files whole.
    """
    from edge_fer.choice import choose_model
    from edge_fer.classifier import Classifier
    from edge_fer.commands.serve import open_page
    from edge_fer.commands.summary import Summary
    from edge_fer.detector import open_detector
    from edge_fer.errors import InputError
    from edge_fer.pipeline import Pipeline
    from edge_fer.sinks import check_targets, open_saver
    from edge_fer.sinks.background import Background
    from edge_fer.sinks.lines import CsvTable, JsonLines
    from edge_fer.sinks.report import Report
    from edge_fer.sources import open_source
    from edge_fer.sources.stdin import StandardInput
    from edge_fer.sources.supervised import Supervised
    from edge_fer.status import Status
    from edge_fer.tracking.smoothing import Smoother
    from edge_fer.tracking.tracker import Tracker
    from edge_fer.watchdog import Watchdog

    with ExitStack() as stack:
        leave_out = () if contempt else ("contempt",)
        # A model that is named is checked before a camera is opened.
        classifier = None if model == "auto" else Classifier(model, threads, leave_out)
        recognizer = _open_recognizer(stack, store, embedder, threads) if identify else None
        frames = stack.enter_context(
            open_source(
                source,
                width=width,
                height=height,
                fps=fps,
                loop=loop,
                stall=stall,
                wait=wait,
                on_event=_event,
            )
        )
        finder = stack.enter_context(open_detector(detector, min_score, threads))
        if classifier is None:
            choice = choose_model(frames.fps or 1.0, finder, threads)
            _event(f"model {choice.name}: {choice.frame_ms:.1f} ms a frame with two faces here")
            classifier = Classifier(choice.name, threads, leave_out)
        pipeline = Pipeline(
            finder,
            classifier,
            tracker=Tracker() if track else None,
            smoother=Smoother(smooth) if track and smooth else None,
            blur_faces=blur_faces,
            recognizer=recognizer,
            detect_every=(detect_every or ("auto" if frames.live else 1)) if track else 1,
        )
        outputs = (str(save) if save else None, jsonl, table, str(report) if report else None)
        check_targets([target for target in outputs if target], frames)
        status = Status(frames, classifier.card.name, detector)
        sinks: list[Sink] = []

        def add(name: str, sink: Sink) -> None:
            if frames.live:
                sink = Background(sink, name, _event)
                status.sinks.append(sink)
            sinks.append(stack.enter_context(sink))

        if save:
            add(str(save), open_saver(save, frames))
        if jsonl:
            add(jsonl, JsonLines(jsonl))
        if table:
            add(table, CsvTable(table, classifier.labels, people=identify))
        if report:
            if frames.live:
                raise InputError("--report tells of a whole file; a live source has no end")
            add(str(report), Report(report, Path(source).name))
        if mqtt:
            from edge_fer.sinks.mqtt import Mqtt

            labels, told = classifier.labels, status.to_dict
            publisher = Mqtt(
                mqtt, labels, status=told, every=mqtt_every, people=identify, on_event=_event
            )
            sinks.append(stack.enter_context(publisher))
        if serve:
            sinks.append(open_page(stack, serve, token, status, stall))
        stop = _StopOnSignal()
        if isinstance(frames, Supervised | StandardInput):
            stop.then(frames.stop)
        window = _open_window(show, frames, stop)
        if window is not None:
            sinks.append(stack.enter_context(window))
        summary, watchdog = Summary(frames, status), Watchdog()
        stack.callback(watchdog.ending)
        for reading in pipeline.run(frames):
            for sink in sinks:
                sink.write(reading)
            status.add(reading)
            if not reading.failed:
                watchdog.alive()
            summary.show(reading)
            if stop.signal or (window is not None and window.closed):
                break
        summary.close()
    # Ending a camera by hand is how it is meant to end; a file has then not been read whole.
    if stop.signal and not frames.live:
        return 128 + stop.signal
    return int(bool(status.failed) and not frames.live)


def _event(text: str) -> None:
    say(f"edge-fer: {text}")


def _open_recognizer(
    stack: ExitStack, store: Path | None, embedder: str, threads: int
) -> Recognizer:
    from edge_fer.errors import InputError
    from edge_fer.identity import open_embedder
    from edge_fer.identity.people import People, default_path
    from edge_fer.identity.recognizer import Recognizer

    network = open_embedder(embedder, threads)
    people = stack.enter_context(People(store or default_path()))
    recognizer = Recognizer(network, people.watched(network.network))
    if not people.gallery(network.network).names:
        raise InputError(
            f"{people.path} holds nobody for --identify with {network.network}:"
            " edge-fer enroll NAME PICTURE"
        )
    return recognizer


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
        self._ends: Callable[[], None] = lambda: None
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, self._remember)

    def then(self, end: Callable[[], None]) -> None:
        """Call this too: it ends a source that may be waiting for a frame that never comes."""
        self._ends = end

    def _remember(self, number: int, _frame: FrameType | None) -> None:
        if self.signal:  # asked twice: whatever blocks does not matter any more
            raise KeyboardInterrupt
        self.signal = number
        self._ends()
