"""Live sources that freeze, end, fail, slow down and change, and come back."""

import gc
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from edge_fer import sources
from edge_fer.errors import SourceError, SourceLostError
from edge_fer.frame import Frame, as_bgr
from edge_fer.sources.supervised import LADDER, Supervised

QUICK = ((0.05, 3), (0.1, 1))


class FakeCamera:
    """A camera that does what a script says.

    Args:
        script: Pixels to give, seconds to sleep, or an error to raise, one after the other; a
            list is gone through again and again.
        forever: Go on with the script from the start when it is through.
    """

    live, count, files, fps = True, None, (), 30.0

    def __init__(self, *script, forever=False, closed=None):
        self._script, self._forever, self._closed = script, forever, closed

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self._closed is not None:
            self._closed.append(self)

    def __iter__(self) -> Iterator[Frame]:
        while True:
            for step in self._script:
                if isinstance(step, float):
                    time.sleep(step)
                elif isinstance(step, Exception):
                    raise step
                else:
                    yield Frame(step, 0, 0.0, clock=time.time())
            if not self._forever:
                return


def picture(value: int = 0, height: int = 6, width: int = 8) -> np.ndarray:
    return np.full((height, width, 3), value, np.uint8)


def steady(value: int = 0, **kwargs) -> FakeCamera:
    return FakeCamera(picture(value), 0.005, forever=True, **kwargs)


def watched(*cameras, **options):
    """A supervised source whose openings are these cameras, the last one for ever."""
    coming = list(cameras)
    said: list[str] = []

    def opener():
        camera = coming.pop(0) if len(coming) > 1 else coming[0]
        if isinstance(camera, Exception):
            raise camera
        return camera

    first = opener()
    source = Supervised(
        opener, first=first, ladder=QUICK, on_event=said.append, **{"stall": 0.3, **options}
    )
    return source, said


def take(source: Supervised, until, seconds: float = 10.0) -> list[Frame]:
    """Frames until one of them is as wanted."""
    frames = []
    end = time.monotonic() + seconds
    for frame in source:
        frames.append(frame)
        if until(frame) or time.monotonic() > end:
            break
    assert until(frames[-1]), "never came"
    return frames


def test_only_the_newest_frame_is_kept_and_the_others_counted():
    source, _ = watched(FakeCamera(*(x for i in range(200) for x in (picture(i), 0.002)), 9.0))
    with source:
        frames = []
        for frame in source:
            frames.append(frame)
            assert source.health.frames - 1 - frame.index <= 1  # no queue behind it
            time.sleep(0.05)
            if frame.index > 120:
                break
    indices = [f.index for f in frames]
    assert indices == sorted(set(indices))
    assert [int(f.pixels[0, 0, 0]) for f in frames] == indices
    assert len(frames) < 40
    assert source.health.dropped >= indices[-1] - len(frames)
    times = [f.time for f in frames]
    assert times == sorted(times)
    assert all(f.taken is not None and f.clock is not None for f in frames)


def test_a_frame_s_age_is_told():
    source, _ = watched(steady())
    with source:
        frame = next(iter(source))
    assert 0 <= time.monotonic() - frame.taken < 5


@pytest.mark.parametrize(
    ("trouble", "word"),
    [
        (FakeCamera(picture(), 0.01, picture(), 30.0), "froze"),
        (FakeCamera(picture(), 0.01, picture()), "ended"),
        (FakeCamera(picture(), SourceLostError("the cable is out")), "the cable is out"),
        (FakeCamera(picture(), ValueError("driver\nwith a long story")), "driver"),
        (FakeCamera(picture(), 0.05, picture(0, 9, 9), 30.0), "changed from 8x6 to 9x9"),
    ],
    ids=["freezes", "ends", "is lost", "throws", "changes its shape"],
)
def test_a_source_that_fails_is_reported_and_opened_again(trouble, word):
    source, said = watched(trouble, steady(7))
    with source:
        frames = take(source, lambda f: f.pixels[0, 0, 0] == 7)
        take(source, lambda f: source.health.state == "reading")
        assert source.health.reopened == 1
        assert word in source.health.reason
    assert word in said[0]
    assert "\n" not in said[0]
    assert "again in 0.05 s" in said[0]
    assert "back" in said[-1]
    indices = [f.index for f in frames]
    assert indices == sorted(set(indices))  # the count goes on
    assert [f.time for f in frames] == sorted(f.time for f in frames)


def test_a_source_that_slows_down_is_opened_again():
    quick = [x for _ in range(120) for x in (picture(), 0.005)]
    slow = [x for _ in range(40) for x in (0.25, picture())]
    source, said = watched(FakeCamera(*quick, *slow), steady(7), stall=0.3)
    with source:
        take(source, lambda f: f.pixels[0, 0, 0] == 7)
    assert "slowed down" in said[0]


def test_a_quick_source_that_stops_counts_as_frozen_not_as_slow():
    quick = [x for _ in range(120) for x in (picture(), 0.005)]
    source, said = watched(FakeCamera(*quick, 1.0), steady(7), stall=0.3)
    with source:
        take(source, lambda f: f.pixels[0, 0, 0] == 7)
    assert "froze" in said[0]


def test_a_source_that_does_not_open_again_is_tried_on_the_ladder_for_ever():
    gone = SourceLostError("not plugged in")
    source, said = watched(FakeCamera(picture()), gone, gone, gone, gone, gone, steady(7))
    with source:
        take(source, lambda f: f.pixels[0, 0, 0] == 7)
        assert source.health.reopened == 6
    waits = [line.rsplit(" in ", 1)[1] for line in said if "again in" in line]
    assert waits == ["0.05 s"] * 3 + ["0.1 s"] * 3


def test_the_ladder_is_the_promised_one():
    assert [seconds for seconds, _ in LADDER] == [1, 5, 10, 60]
    assert LADDER[0][1] == 5


def test_frames_that_are_no_pictures_are_counted_and_passed_over():
    bad = [
        np.zeros((0, 0, 3), np.uint8),
        np.zeros((4, 4, 2), np.uint8),
        np.zeros((4, 4, 3), np.float32),
        np.zeros((4, 20000, 3), np.uint8),
        np.zeros(7, np.uint8),
    ]
    source, said = watched(FakeCamera(picture(), *bad, picture(5), 0.01, forever=True))
    with source:
        take(source, lambda f: f.pixels[0, 0, 0] == 5)
        assert source.health.bad >= len(bad)
    assert said == []


def test_a_source_of_bad_frames_alone_is_opened_again():
    source, said = watched(
        FakeCamera(picture(), *[x for _ in range(400) for x in (np.zeros((0, 0, 3)), 0.01)]),
        steady(7),
    )
    with source:
        take(source, lambda f: f.pixels[0, 0, 0] == 7)
    assert "froze" in said[0]


def test_stop_ends_the_iteration_while_nothing_comes():
    source, _ = watched(FakeCamera(picture(), 30.0), stall=60)
    with source:
        coming = iter(source)
        next(coming)
        threading.Timer(0.1, source.stop).start()
        began = time.monotonic()
        assert next(coming, None) is None
        assert time.monotonic() - began < 5


def _descriptors() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


def test_neither_threads_nor_openings_are_left_behind():
    closed: list[FakeCamera] = []
    cameras = [FakeCamera(picture(), 0.01, picture(), closed=closed) for _ in range(8)]
    before, files = threading.active_count(), _descriptors()
    source, _ = watched(*cameras, steady(7, closed=closed))
    with source:
        take(source, lambda f: f.pixels[0, 0, 0] == 7)
        assert threading.active_count() - before <= 2
    deadline = time.monotonic() + 5
    while threading.active_count() > before and time.monotonic() < deadline:
        time.sleep(0.01)
    gc.collect()
    assert threading.active_count() == before
    assert _descriptors() <= files
    assert len(closed) == 9


def test_a_source_that_was_never_read_is_closed():
    closed: list[FakeCamera] = []
    source, _ = watched(steady(closed=closed))
    with source:
        pass
    deadline = time.monotonic() + 5
    while not closed and time.monotonic() < deadline:
        time.sleep(0.01)
    assert len(closed) == 1


@pytest.mark.parametrize(
    ("pixels", "first"),
    [
        (np.full((4, 5), 7, np.uint8), [7, 7, 7]),
        (np.full((4, 5, 1), 7, np.uint8), [7, 7, 7]),
        (np.full((4, 5, 4), 7, np.uint8), [7, 7, 7]),
        (np.full((4, 5, 3), 0x0712, np.uint16), [7, 7, 7]),
        (np.full((4, 5, 3), 9, np.uint8), [9, 9, 9]),
    ],
    ids=["grey", "one channel", "four channels", "16 bit", "right"],
)
def test_pictures_of_other_kinds_become_what_the_pipeline_takes(pixels, first):
    made = as_bgr(pixels)
    assert made is not None
    assert made.shape == (4, 5, 3)
    assert made.dtype == np.uint8
    assert made[0, 0].tolist() == first
    assert as_bgr(picture()) is not None


def test_what_is_right_is_not_copied():
    pixels = picture()
    assert np.shares_memory(as_bgr(pixels), pixels)
    assert as_bgr(None) is None


def test_a_source_that_is_not_there_yet_is_waited_for(monkeypatch):
    camera, told = steady(7), []
    away = SourceError("camera 0 does not open")
    tries = iter([away, away, SourceError("camera 0 is used"), camera])

    def opens(*_args, **_kwargs):
        step = next(tries)
        if isinstance(step, Exception):
            raise step
        return step

    monkeypatch.setattr(sources, "open_once", opens)
    monkeypatch.setattr(sources, "_PAUSE", 0.01)
    with sources.open_source(0, wait=True, on_event=told.append) as source:
        assert next(iter(source)).pixels[0, 0, 0] == 7
    assert told == [
        "waiting for the source: camera 0 does not open",
        "waiting for the source: camera 0 is used",
    ]


@pytest.mark.parametrize("where", ["clip.mp4", "-"])
def test_what_is_no_device_or_stream_is_not_waited_for(monkeypatch, where):
    def opens(*_args, **_kwargs):
        raise SourceError("no such file")

    monkeypatch.setattr(sources, "open_once", opens)
    with pytest.raises(SourceError):
        sources.open_source(where, wait=True)
