"""Sinks in the background, and what a run tells of itself."""

import threading
import time

import numpy as np
import pytest

from edge_fer.board import read_board
from edge_fer.errors import ReaderGoneError, StorageError
from edge_fer.face import Face
from edge_fer.frame import Frame, Reading
from edge_fer.sinks.background import Background
from edge_fer.status import Status


class FakeSink:
    """Keeps what it is given; waits or fails as it is told."""

    def __init__(self, fails=(), gate=None):
        self.fails, self.gate = dict(fails), gate
        self.got, self.entered, self.left = [], 0, 0

    def __enter__(self):
        self.entered += 1
        return self

    def __exit__(self, *_):
        self.left += 1

    def write(self, reading):
        if self.gate is not None:
            self.gate.wait(10)
        error = self.fails.get(reading.frame.index)
        if error is not None:
            raise error
        self.got.append(reading.frame.index)


def reading(index=0, faces=(), stages=None, taken=None):
    frame = Frame(np.zeros((4, 4, 3), np.uint8), index, index / 10, taken=taken)
    return Reading(frame, list(faces), stages or {})


def until(condition, seconds=5.0):
    end = time.monotonic() + seconds
    while not condition() and time.monotonic() < end:
        time.sleep(0.002)
    assert condition()


def test_a_background_sink_gets_all_in_order_where_it_is_quick_enough():
    sink = FakeSink()
    with Background(sink, "x") as background:
        for index in range(5):
            background.write(reading(index))
            until(lambda index=index: len(sink.got) == index + 1)
    assert sink.got == [0, 1, 2, 3, 4]
    assert (sink.entered, sink.left) == (1, 1)
    assert (background.left_out, background.failed) == (0, 0)


def test_a_slow_sink_holds_nobody_up_and_loses_the_oldest():
    gate = threading.Event()
    sink = FakeSink(gate=gate)
    with Background(sink, "x") as background:
        began = time.monotonic()
        for index in range(100):
            background.write(reading(index))
        assert time.monotonic() - began < 5
        assert background.left_out > 80
        gate.set()
        until(lambda: 99 in sink.got)
    assert len(sink.got) < 20
    assert sink.got == sorted(sink.got)
    assert len(sink.got) + background.left_out == 100


def test_a_sink_that_hangs_does_not_keep_the_run_from_ending():
    sink = FakeSink(gate=threading.Event())
    began = time.monotonic()
    with Background(sink, "x") as background:
        for index in range(30):
            background.write(reading(index))
    assert time.monotonic() - began < 5


def test_a_failing_sink_is_told_once_and_goes_on():
    said = []
    full = StorageError("x.jsonl cannot be written: No space left on device")
    sink = FakeSink(fails={1: full, 2: full, 3: ValueError("odd\nand long")})
    with Background(sink, "x.jsonl", said.append) as background:
        for index in range(5):
            background.write(reading(index))
            until(lambda index=index: len(sink.got) + background.failed == index + 1)
    assert sink.got == [0, 4]
    assert background.failed == 3
    assert said == [f"a reading was not written to x.jsonl: {full}"]


def test_a_reader_that_has_gone_ends_the_run():
    sink = FakeSink(fails={0: ReaderGoneError("who read - has gone")})
    with Background(sink, "-") as background:
        background.write(reading(0))
        until(lambda: background._gone is not None)
        with pytest.raises(ReaderGoneError):
            background.write(reading(1))


def _face(emotion):
    return Face((0, 0, 9, 9), 0.9, np.zeros((6, 2), np.float32), emotion=emotion)


class FakeSource:
    live, fps, count, files = False, 25.0, 3, ()


def test_the_status_counts_what_comes_out():
    status = Status(FakeSource(), "fer-base", "blazeface")
    assert not status.healthy(5)
    assert status.fps == 0
    for index in range(4):
        faces = [_face("happy"), _face("sad")][: index % 3]
        stages = {"detect": 0.002, "classify": 0.001}
        status.add(reading(index, faces, stages, taken=time.monotonic() - 0.05))
    answer = status.to_dict()
    assert (answer["frames"], answer["faces"]) == (4, 3)
    assert answer["stages_ms"] == {"detect": 2.0, "classify": 1.0}
    assert status.stages == pytest.approx({"detect": 2.0, "classify": 1.0})
    assert 50 <= answer["age_ms"] < 5000
    assert status.emotions == {"happy": 2, "sad": 1}
    assert status.healthy(5)
    assert not status.healthy(-1)
    assert status.losses() == ""
    assert answer["model"] == "fer-base"
    assert "source" not in answer


def test_the_status_tells_of_sinks_that_fail():
    sink = FakeSink(fails={0: OSError("gone")})
    background = Background(sink, "table.csv", lambda _: None)
    status = Status(FakeSource(), sinks=[background])
    with background:
        background.write(reading(0))
        until(lambda: background.failed == 1)
    assert status.to_dict()["sinks"] == {"table.csv": {"left_out": 0, "failed": 1}}
    assert "1 readings not written to table.csv" in status.losses()


def _put(root, path, text):
    (root / path).parent.mkdir(parents=True, exist_ok=True)
    (root / path).write_bytes(text)


def test_the_board_of_a_raspberry_pi(tmp_path):
    _put(tmp_path, "proc/device-tree/model", b"Raspberry Pi 5 Model B Rev 1.0\0")
    _put(tmp_path, "sys/class/thermal/thermal_zone0/temp", b"61234\n")
    _put(tmp_path, "sys/devices/platform/soc/soc:firmware/get_throttled", b"50005\n")
    board = read_board(tmp_path)
    assert board.model == "Raspberry Pi 5 Model B Rev 1.0"
    assert board.temperature == 61.2
    assert board.throttled == ("under-voltage", "throttled", "was under-voltage", "was throttled")


def test_a_board_that_tells_nothing(tmp_path):
    assert read_board(tmp_path) == read_board(tmp_path / "none")
    assert read_board(tmp_path).temperature is None
    _put(tmp_path, "sys/class/thermal/thermal_zone0/temp", b"warm")
    _put(tmp_path, "sys/devices/platform/soc/soc:firmware/get_throttled", b"zz")
    assert read_board(tmp_path).temperature is None
    assert read_board(tmp_path).throttled is None
    _put(tmp_path, "sys/devices/platform/soc/soc:firmware/get_throttled", b"0")
    assert read_board(tmp_path).throttled == ()
