"""Where readings go."""

import csv
import errno
import json
import os
import shutil

import cv2
import numpy as np
import pytest

from edge_fer.errors import InputError, StorageError
from edge_fer.files import PICTURES, write_whole
from edge_fer.labels import FER_LABELS
from edge_fer.sinks import VIDEOS, open_saver
from edge_fer.sinks.lines import CsvTable, JsonLines
from edge_fer.sinks.pictures import PictureSink
from edge_fer.sinks.video import VideoSink


class FullDisk:
    """A raw file on a disk with little room: it takes what fits and then fails."""

    def __init__(self, file, room, regular=True):
        self._file, self._room, self._regular = file, room, regular

    def write(self, data):
        if not self._room:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        written = self._file.write(bytes(data[: self._room]))
        self._room -= written
        return written

    def truncate(self, size=None):
        if not self._regular:  # a device or a pipe
            raise OSError(errno.EINVAL, os.strerror(errno.EINVAL))
        return self._file.truncate(size)

    def __getattr__(self, name):
        return getattr(self._file, name)


def _fill_disk(monkeypatch, sink, room, **options):
    lines = sink._lines
    monkeypatch.setattr(lines, "_file", FullDisk(lines._file or lines._open(), room, **options))


def test_json_lines_have_the_schema(tmp_path, reading, read_face):
    path = tmp_path / "deep" / "x.jsonl"
    faces = [read_face((1.26, -2, 30, 40), id=3), read_face(emotion="sad", uncertain=True)]
    with JsonLines(str(path)) as sink:
        sink.write(reading(faces, 0, 0.0, name="a.jpg"))
        sink.write(reading([], 1, 1.23456, clock=1700000000.1239))
    first, second = map(json.loads, path.read_text().splitlines())
    assert list(first) == ["frame", "time", "width", "height", "source", "faces"]
    assert (first["frame"], first["time"], first["source"]) == (0, 0.0, "a.jpg")
    assert (first["width"], first["height"]) == (96, 64)
    face, other = first["faces"]
    assert list(face) == [
        "id", "box", "score", "emotion", "confidence", "uncertain", "probabilities",
    ]  # fmt: skip
    assert face["box"] == [1.3, -2, 30, 40]
    assert (face["id"], face["score"], face["emotion"]) == (3, 0.9, "happy")
    assert (face["confidence"], face["uncertain"]) == (0.7, False)
    assert list(face["probabilities"]) == list(FER_LABELS)
    assert face["probabilities"]["fear"] == 0.05
    assert (other["id"], other["emotion"], other["uncertain"]) == (None, "sad", True)
    assert second == {
        "frame": 1, "time": 1.235, "width": 96, "height": 64, "clock": 1700000000.124, "faces": [],
    }  # fmt: skip


def test_json_lines_go_out_at_once(tmp_path, reading):
    path = tmp_path / "x.jsonl"
    with JsonLines(str(path)) as sink:
        for number in range(3):
            sink.write(reading(index=number))
            assert len(path.read_text().splitlines()) == number + 1


def test_json_lines_go_to_standard_output(capfdbinary, reading):
    with JsonLines("-") as sink:
        sink.write(reading(index=5))
    out = capfdbinary.readouterr().out
    assert out.endswith(b"\n")
    assert json.loads(out)["frame"] == 5
    os.write(1, b"still open")
    assert capfdbinary.readouterr().out == b"still open"


@pytest.mark.parametrize("extra", [0, 1, 25])
def test_a_full_disk_leaves_whole_json_lines(monkeypatch, tmp_path, reading, extra):
    path = tmp_path / "x.jsonl"
    with JsonLines(str(path)) as sink:
        sink.write(reading(index=0))
        sink.write(reading(index=1))
        _fill_disk(monkeypatch, sink, extra)
        with pytest.raises(StorageError, match=r"x\.jsonl.*No space left"):
            sink.write(reading(index=2))
    content = path.read_text()
    assert content.endswith("\n")
    assert [json.loads(line)["frame"] for line in content.splitlines()] == [0, 1]


def test_a_full_device_is_a_storage_error(monkeypatch, tmp_path, reading):
    with JsonLines(str(tmp_path / "x.jsonl")) as sink:
        _fill_disk(monkeypatch, sink, 0, regular=False)
        with pytest.raises(StorageError, match="No space left"):
            sink.write(reading())


def test_writes_in_parts_are_put_together(monkeypatch, tmp_path, reading):
    path = tmp_path / "x.jsonl"
    with JsonLines(str(path)) as sink:
        file = sink._lines._open()

        class Slow(FullDisk):
            def write(self, data):
                return file.write(bytes(data[:7]))

        monkeypatch.setattr(sink._lines, "_file", Slow(file, 0))
        sink.write(reading(index=0))
        sink.write(reading(index=1))
    assert [json.loads(line)["frame"] for line in path.read_text().splitlines()] == [0, 1]


def test_lines_cannot_be_written_to_a_folder(tmp_path, reading):
    (tmp_path / "file").write_text("in the way")
    for path in (tmp_path, tmp_path / "file" / "x.jsonl"):
        with JsonLines(str(path)) as sink, pytest.raises(StorageError, match=str(path)):
            sink.write(reading())


def _table(path):
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.reader(file))


def test_csv_has_a_header_and_a_row_a_face(tmp_path, reading, read_face):
    path = tmp_path / "x.csv"
    with CsvTable(str(path), FER_LABELS) as sink:
        first = [read_face((1, 2, 3, 4), id=7), read_face(emotion="fear", uncertain=True)]
        sink.write(reading(first, 0, 0.5, name='a, "b".jpg'))
        sink.write(reading([], 1, 1.0))
        sink.write(reading([read_face()], 2, 1.5))
    header, one, two, three = _table(path)
    assert header == [
        "frame", "time", "source", "id", "x", "y", "width", "height", "score",
        "emotion", "confidence", "uncertain", *FER_LABELS,
    ]  # fmt: skip
    assert all(len(row) == len(header) for row in (one, two, three))
    assert one[:9] == ["0", "0.5", 'a, "b".jpg', "7", "1.0", "2.0", "3.0", "4.0", "0.9"]
    assert one[9:12] == ["happy", "0.7", "0"]
    assert dict(zip(header, one, strict=True))["happy"] == "0.7"
    assert two[3] == ""
    assert two[9:12] == ["fear", "0.7", "1"]
    assert (three[0], three[2]) == ("2", "")


def test_csv_has_a_header_even_without_faces(tmp_path, reading):
    with CsvTable(str(tmp_path / "x.csv"), FER_LABELS) as sink:
        sink.write(reading())
    assert len(_table(tmp_path / "x.csv")) == 1


def test_a_full_disk_leaves_whole_csv_rows(monkeypatch, tmp_path, reading, read_face):
    path = tmp_path / "x.csv"
    with CsvTable(str(path), FER_LABELS) as sink:
        sink.write(reading([read_face()], 0))
        _fill_disk(monkeypatch, sink, 30)
        with pytest.raises(StorageError):
            sink.write(reading([read_face(), read_face()], 1))
    assert path.read_text().endswith("\n")
    assert [row[0] for row in _table(path)] == ["frame", "0"]


def test_file_names_that_are_no_utf8_are_written(tmp_path, reading, read_face):
    """Linux allows any bytes in a name; Python gives them as lone surrogates."""
    name = os.fsdecode(b"caf\xe9.jpg")
    with (
        JsonLines(str(tmp_path / "x.jsonl")) as lines,
        CsvTable(str(tmp_path / "x.csv"), FER_LABELS) as table,
    ):
        for sink in (lines, table):
            sink.write(reading([read_face()], name=name))
    assert json.loads((tmp_path / "x.jsonl").read_bytes())["source"] == name
    assert (tmp_path / "x.csv").read_bytes().count(b"\n") == 2


def _names(folder):
    return sorted(p.name for p in folder.iterdir())


def test_pictures_keep_their_names(tmp_path, reading, read_face):
    with PictureSink(tmp_path / "out") as sink:
        sink.write(reading([read_face()], 0, name="a.png"))
        sink.write(reading([], 1, name="b.jpg", size=(30, 20)))
    assert _names(tmp_path / "out") == ["a.png", "b.jpg"]
    saved = cv2.imread(str(tmp_path / "out" / "a.png"))
    assert np.array_equal(saved, reading([read_face()]).annotated)
    assert saved.any()
    assert cv2.imread(str(tmp_path / "out" / "b.jpg")).shape == (20, 30, 3)


def test_frames_without_names_are_numbered(tmp_path, reading):
    with PictureSink(tmp_path) as sink:
        for number in (0, 9, 10):
            sink.write(reading(index=number))
    names = _names(tmp_path)
    assert len(names) == 3
    assert names == [f"frame-{n:06}.jpg" for n in (0, 9, 10)]


def test_a_single_picture_gets_the_name_asked_for(tmp_path, reading):
    with PictureSink(tmp_path, name="wanted.png") as sink:
        sink.write(reading(name="original.jpg"))
    assert _names(tmp_path) == ["wanted.png"]


@pytest.mark.parametrize(
    "names",
    [["a.png", "a.png"], ["a.png", "a.png", "a.png"], ["a-2.png", "a.png", "a.png"],
     ["a.png", "a.png", "a-1.png"]],
)  # fmt: skip
def test_pictures_of_the_same_name_do_not_replace_each_other(tmp_path, reading, names):
    with PictureSink(tmp_path) as sink:
        for number, name in enumerate(names):
            sink.write(reading(index=number, name=name, level=40 * number + 20))
    levels = sorted(int(cv2.imread(str(p)).mean()) for p in tmp_path.iterdir())
    assert levels == [40 * n + 20 for n in range(len(names))]


@pytest.mark.parametrize("suffix", sorted(PICTURES | {".JPG"}))
def test_every_format_that_is_read_can_be_saved(tmp_path, reading, suffix):
    with PictureSink(tmp_path) as sink:
        sink.write(reading(name=f"x{suffix}", size=(50, 40), level=90))
    saved = cv2.imread(str(tmp_path / f"x{suffix}"))
    assert saved.shape == (40, 50, 3)
    assert abs(saved.mean() - 90) < 3


def test_a_picture_that_its_format_cannot_hold_is_a_storage_error(tmp_path, reading):
    with PictureSink(tmp_path) as sink, pytest.raises(StorageError, match=r"x\.webp"):
        sink.write(reading(name="x.webp", size=(20_000, 1)))  # WebP ends at 16383
    assert _names(tmp_path) == []


def test_a_folder_that_is_a_file_is_a_storage_error(tmp_path, reading):
    (tmp_path / "file").write_text("in the way")
    with PictureSink(tmp_path / "file") as sink, pytest.raises(StorageError, match="file"):
        sink.write(reading(name="a.png"))
    assert (tmp_path / "file").read_text() == "in the way"


def _video(path):
    """Frame rate of a video and the brightness of each frame."""
    capture = cv2.VideoCapture(str(path), cv2.CAP_FFMPEG)
    assert capture.isOpened()
    fps, levels = capture.get(cv2.CAP_PROP_FPS), []
    while True:
        good, pixels = capture.read()
        if not good:
            return fps, levels
        levels.append(pixels.mean())


@pytest.mark.parametrize("suffix", sorted(VIDEOS))
@pytest.mark.parametrize("frames", [1, 7])
def test_a_video_has_every_frame(tmp_path, reading, suffix, frames):
    path = tmp_path / "deep" / f"x{suffix}"
    with VideoSink(path, 12) as sink:
        for number in range(frames):
            sink.write(reading(index=number, level=30 * number + 20))
    fps, levels = _video(path)
    assert fps == pytest.approx(12, rel=1e-3)
    assert levels == pytest.approx([30 * n + 20 for n in range(frames)], abs=8)
    assert _names(path.parent) == [path.name]


@pytest.mark.parametrize("fps", [0.5, 23.976, 30, 66.667, 119.88])
def test_a_video_has_the_frame_rate_of_its_source(tmp_path, reading, fps):
    with VideoSink(tmp_path / "x.mp4", fps) as sink:
        for number in range(4):
            sink.write(reading(index=number))
    assert _video(tmp_path / "x.mp4")[0] == pytest.approx(fps, rel=1e-3)


def test_a_video_keeps_the_size_of_its_first_frame(tmp_path, reading):
    with VideoSink(tmp_path / "x.mp4", 10) as sink:
        for number, size in enumerate([(96, 64), (50, 70), (200, 100)]):
            sink.write(reading(index=number, size=size, level=100))
    capture = cv2.VideoCapture(str(tmp_path / "x.mp4"))
    assert capture.get(cv2.CAP_PROP_FRAME_WIDTH) == 96
    assert capture.get(cv2.CAP_PROP_FRAME_HEIGHT) == 64
    assert len(_video(tmp_path / "x.mp4")[1]) == 3


@pytest.mark.parametrize(
    ("times", "frames"),
    [
        ([0, 0.1, 0.2], 3),
        ([0, 0.1, 0.5, 0.6], 7),
        ([0, 0.01, 0.02, 0.03, 0.1], 2),
        ([0, 0.001, 0.5, 0.501, 1.0], 11),
    ],
    ids=["in step", "a gap", "too fast", "both"],
)
def test_a_paced_video_runs_as_things_happened(tmp_path, reading, times, frames):
    with VideoSink(tmp_path / "x.avi", 10, paced=True) as sink:
        for number, time in enumerate(times):
            sink.write(reading(index=number, time=time, level=40 * number + 20))
    _, levels = _video(tmp_path / "x.avi")
    assert len(levels) == frames
    assert levels[0] == pytest.approx(20, abs=4)
    assert levels == sorted(levels)
    for number, time in enumerate(times):
        shown = levels[round(time * 10)]
        near = [40 * n + 20 for n, t in enumerate(times) if abs(t - time) <= 0.05]
        assert min(abs(shown - level) for level in near) < 4, (number, levels)


def test_an_unpaced_video_does_not_care_for_times(tmp_path, reading):
    with VideoSink(tmp_path / "x.mp4", 10) as sink:
        for number, time in enumerate([0, 0.01, 5]):
            sink.write(reading(index=number, time=time))
    assert len(_video(tmp_path / "x.mp4")[1]) == 3


def test_a_video_is_not_there_before_it_is_whole(tmp_path, reading):
    (tmp_path / "x.mp4").write_text("the old one")
    with VideoSink(tmp_path / "x.mp4", 10) as sink:
        for number in range(3):
            sink.write(reading(index=number))
        assert (tmp_path / "x.mp4").read_text() == "the old one"
    assert len(_video(tmp_path / "x.mp4")[1]) == 3
    assert _names(tmp_path) == ["x.mp4"]


def _full(monkeypatch):
    usage = shutil.disk_usage(".")
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage._replace(free=0))


def test_a_full_disk_leaves_no_video(monkeypatch, tmp_path, reading):
    def record():
        with VideoSink(tmp_path / "x.mp4", 10) as sink:
            sink.write(reading(index=0))
            _full(monkeypatch)
            sink.write(reading(index=1))

    with pytest.raises(StorageError, match=r"x\.mp4.*No space left"):
        record()
    assert _names(tmp_path) == []


@pytest.mark.parametrize("lost", [1, 20, 100, 150, 250, 500, 1000])
def test_a_video_cut_short_by_a_full_disk_is_not_kept(tmp_path, reading, lost):
    """Where the disk is full at the very end, the index behind the pictures is cut."""

    def record():
        with VideoSink(tmp_path / "x.mp4", 10) as sink:
            for number in range(5):
                sink.write(reading(index=number))
            sink._writer.release()
            (part,) = tmp_path.iterdir()
            part.write_bytes(part.read_bytes()[:-lost])

    try:
        record()
    except StorageError as e:
        assert "x.mp4" in str(e)  # noqa: PT017
        assert _names(tmp_path) == []
    else:
        assert len(_video(tmp_path / "x.mp4")[1]) == 5


@pytest.mark.parametrize("error", [KeyboardInterrupt, ValueError])
def test_a_video_that_is_broken_off_is_whole_up_to_there(tmp_path, reading, error):
    def record():
        with VideoSink(tmp_path / "x.mp4", 10) as sink:
            for number in range(4):
                sink.write(reading(index=number))
            raise error

    with pytest.raises(error):
        record()
    assert len(_video(tmp_path / "x.mp4")[1]) == 4
    assert _names(tmp_path) == ["x.mp4"]


def test_a_video_of_no_frames_is_not_there(tmp_path):
    with VideoSink(tmp_path / "x.mp4", 10):
        pass
    assert _names(tmp_path) == []


def test_a_video_in_a_place_that_is_no_folder_is_a_storage_error(tmp_path):
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(StorageError, match=r"x\.mp4"):
        VideoSink(tmp_path / "file" / "x.mp4", 10)


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt, SystemExit])
def test_a_file_not_written_whole_leaves_no_trace(tmp_path, error):
    (tmp_path / "old.txt").write_text("old")

    def write(path):
        with write_whole(path) as part:
            part.write_text("half")
            raise error

    for name in ("old.txt", "new.txt"):
        with pytest.raises(error):
            write(tmp_path / name)
    assert _names(tmp_path) == ["old.txt"]
    assert (tmp_path / "old.txt").read_text() == "old"


def test_a_file_written_whole_replaces_the_old_one_at_once(tmp_path):
    path = tmp_path / "x.txt"
    path.write_text("old")
    with write_whole(path) as part:
        assert part.parent == path.parent  # or the move would not be atomic
        assert part.suffix == path.suffix
        part.write_text("new")
        assert path.read_text() == "old"
    assert path.read_text() == "new"
    assert _names(tmp_path) == ["x.txt"]


def test_a_file_s_folder_is_made(tmp_path):
    with write_whole(tmp_path / "a" / "b" / "x.txt") as part:
        part.write_text("new")
    assert (tmp_path / "a" / "b" / "x.txt").read_text() == "new"


def test_failing_to_write_is_a_storage_error(tmp_path):
    (tmp_path / "file").write_text("in the way")

    def write(path, error=None):
        with write_whole(path) as part:
            if error:
                raise error
            part.write_text("x")

    full = OSError(errno.ENOSPC, "No space left on device")
    with pytest.raises(StorageError, match=r"x\.txt.*No space left"):
        write(tmp_path / "x.txt", full)
    for path in (tmp_path / "file" / "x.txt", tmp_path / ("x" * 300), tmp_path):
        with pytest.raises(StorageError, match="cannot be written"):
            write(path)
    assert _names(tmp_path) == ["file"]
    assert (tmp_path / "file").read_text() == "in the way"


def test_a_name_as_long_as_names_may_be_is_written(tmp_path):
    with write_whole(tmp_path / ("x" * 251 + ".txt")) as part:
        part.write_text("new")
    assert _names(tmp_path) == ["x" * 251 + ".txt"]


@pytest.mark.parametrize("suffix", [".mp4", ".MP4", ".avi"])
def test_a_video_is_saved_as_a_video(tmp_path, fake_source, suffix):
    saver = open_saver(tmp_path / f"x{suffix}", fake_source(fps=25.0, count=9))
    assert isinstance(saver, VideoSink)


@pytest.mark.parametrize("live", [True, False])
def test_a_live_source_s_video_is_paced(tmp_path, fake_source, reading, live):
    with open_saver(tmp_path / "x.mp4", fake_source(fps=10.0, live=live)) as saver:
        saver.write(reading(time=0.0))
        saver.write(reading(time=1.0))
    assert len(_video(tmp_path / "x.mp4")[1]) == (11 if live else 2)


@pytest.mark.parametrize("name", ["folder", "x.jpg"])
def test_a_picture_is_saved_to_a_folder_or_a_file(tmp_path, fake_source, reading, name):
    with open_saver(tmp_path / name, fake_source(count=1)) as saver:
        saver.write(reading(name="a.png"))
    saved = tmp_path / name / "a.png" if name == "folder" else tmp_path / name
    assert cv2.imread(str(saved)).shape == (64, 96, 3)


def test_a_folder_with_a_dot_is_a_folder(tmp_path, fake_source, reading):
    (tmp_path / "out.v2").mkdir()
    with open_saver(tmp_path / "out.v2", fake_source(count=2)) as saver:
        saver.write(reading(name="a.png"))
    assert _names(tmp_path / "out.v2") == ["a.png"]


@pytest.mark.parametrize(
    ("name", "facts"),
    [
        ("x.mp4", {"fps": None, "count": 1}),
        ("x.mp4", {"fps": None, "count": 5}),
        ("x.jpg", {"fps": None, "count": 5}),
        ("x.jpg", {"fps": 25.0, "count": 100}),
        ("x.png", {"fps": 30.0, "count": None, "live": True}),
        ("x.gif", {"fps": 25.0, "count": 100}),
        ("x.txt", {"fps": None, "count": 1}),
    ],
    ids=str,
)
def test_a_place_that_does_not_fit_the_source_is_refused(tmp_path, fake_source, name, facts):
    with pytest.raises(InputError, match=name):
        open_saver(tmp_path / name, fake_source(**facts))
    assert _names(tmp_path) == []
