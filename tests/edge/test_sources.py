"""Where frames come from."""

import logging
import sys
from types import MappingProxyType, ModuleType

import cv2
import numpy as np
import pytest

from edge_fer.errors import MissingPackageError, SourceError, SourceLostError
from edge_fer.sources import open_once, open_source


def _frames(where, **options):
    with open_source(where, **options) as source:
        return list(source)


@pytest.fixture
def folder(tmp_path):
    """A folder of three pictures, each of another grey, and of other things."""
    (tmp_path / "pictures").mkdir()
    for level, name in enumerate(("b.png", "a.PNG", "c.bmp"), 1):
        good, data = cv2.imencode(".png", np.full((20, 30, 3), 50 * level, np.uint8))
        assert good
        (tmp_path / "pictures" / name).write_bytes(data)
    (tmp_path / "pictures" / "notes.txt").write_text("no picture")
    (tmp_path / "pictures" / "inner").mkdir()
    return tmp_path / "pictures"


def test_a_picture_is_one_frame(picture_file, picture):
    with open_source(picture_file) as source:
        assert (source.live, source.fps, source.count) == (False, None, 1)
        (frame,) = source
    assert np.array_equal(frame.pixels, picture)
    assert (frame.index, frame.time, frame.name) == (0, 0.0, "collins.jpg")
    assert frame.clock is None


def test_a_path_may_be_text(picture_file):
    assert len(_frames(str(picture_file))) == 1


@pytest.mark.parametrize(
    "pixels",
    [
        np.full((9, 7), 100, np.uint8),
        np.full((9, 7, 4), 100, np.uint8),
        np.full((9, 7, 3), 100 * 257, np.uint16),
    ],
    ids=["grey", "transparent", "16 bit"],
)
def test_pictures_of_every_kind_come_as_color(tmp_path, pixels):
    cv2.imwrite(str(tmp_path / "x.png"), pixels)
    (frame,) = _frames(tmp_path / "x.png")
    assert frame.pixels.dtype == np.uint8
    assert frame.pixels.shape == (9, 7, 3)
    assert (frame.pixels == 100).all()


def test_a_picture_is_turned_as_its_file_asks(tmp_path):
    image = pytest.importorskip("PIL.Image")
    pixels = np.zeros((40, 60, 3), np.uint8)
    pixels[:, :20] = 255  # bright on the left
    tags = image.Exif()
    tags[0x0112] = 6  # a quarter turn clockwise
    image.fromarray(pixels).save(tmp_path / "x.jpg", exif=tags)
    (frame,) = _frames(tmp_path / "x.jpg")
    assert frame.pixels.shape == (60, 40, 3)
    assert frame.pixels[:15].mean() > 250
    assert frame.pixels[30:].mean() < 5


def test_a_folder_is_read_in_order(folder):
    with open_source(folder) as source:
        assert (source.live, source.fps, source.count) == (False, None, 3)
        frames = list(source)
    assert [f.name for f in frames] == ["a.PNG", "b.png", "c.bmp"]
    assert [f.index for f in frames] == [0, 1, 2]
    assert [int(f.pixels.mean()) for f in frames] == [100, 50, 150]


def test_a_glob_is_read_in_order(folder):
    assert [f.name for f in _frames(folder / "*.png")] == ["b.png"]
    assert [f.name for f in _frames(folder.parent / "**" / "[bc].*")] == ["b.png", "c.bmp"]


def test_a_name_that_looks_like_a_glob_is_a_name(tmp_path, folder):
    (folder / "b.png").rename(tmp_path / "[x].png")
    assert [f.name for f in _frames(tmp_path / "[x].png")] == ["[x].png"]


def test_a_broken_picture_alone_is_refused(tmp_path, picture_file):
    data = picture_file.read_bytes()
    for content in (b"", b"no picture", data[:100], data[: len(data) // 2]):
        (tmp_path / "broken.jpg").write_bytes(content)
        with pytest.raises(SourceError, match=r"broken\.jpg"):
            _frames(tmp_path / "broken.jpg")


def test_a_broken_picture_among_good_ones_is_passed_over(folder, caplog):
    (folder / "aa.jpg").write_bytes(b"no picture")
    (folder / "b.jpg").mkdir()
    with caplog.at_level(logging.WARNING):
        frames = _frames(folder)
    assert [f.name for f in frames] == ["a.PNG", "b.png", "c.bmp"]
    assert [f.index for f in frames] == [0, 1, 2]
    warnings = [r.getMessage() for r in caplog.records if r.levelno == logging.WARNING]
    assert len(warnings) == 2
    assert "aa.jpg" in warnings[0]
    assert "b.jpg" in warnings[1]


def test_nothing_but_broken_pictures_is_refused(tmp_path):
    for name in ("a.jpg", "b.jpg"):
        (tmp_path / name).write_bytes(b"no picture")
    with pytest.raises(SourceError, match=r"a\.jpg"):
        _frames(tmp_path)


def test_an_empty_folder_is_refused(tmp_path):
    (tmp_path / "notes.txt").write_text("no picture")
    with pytest.raises(SourceError, match="no pictures"):
        open_source(tmp_path)


@pytest.mark.parametrize("name", ["missing.jpg", "missing.mp4", "missing/*.jpg", "missing"])
def test_what_does_not_exist_is_refused(tmp_path, name):
    with pytest.raises(SourceError, match="missing"):
        open_source(tmp_path / name)


@pytest.mark.parametrize("name", ["clip.mp4", "clip.avi", "clip.mkv", "clip.webm"])
@pytest.mark.parametrize("fps", [10, 29.97])
def test_a_video_is_read_frame_by_frame(make_clip, name, fps):
    path = make_clip(name, frames=12, fps=fps)
    with open_source(path) as source:
        assert source.live is False
        assert source.count == 12
        assert source.fps == pytest.approx(fps, rel=1e-3)
        frames = list(source)
    assert [f.index for f in frames] == list(range(12))
    assert all(f.pixels.shape == (320, 320, 3) for f in frames)
    assert all(f.name is None and f.clock is None for f in frames)
    # Matroska rounds its times to milliseconds.
    assert [f.time for f in frames] == pytest.approx([n / fps for n in range(12)], abs=2e-3)


def test_a_video_s_frames_are_its_pictures(make_clip, picture):
    frames = _frames(make_clip("clip.avi", frames=4))
    small = cv2.resize(picture, (320, 320))
    for number, frame in enumerate(frames):
        shifted = np.roll(small, 3 * number, axis=1).astype(int)
        assert np.abs(frame.pixels - shifted).mean() < 6


def test_a_video_is_turned_as_its_file_asks(make_clip):
    path = make_clip(size=(320, 240))
    content = bytearray(path.read_bytes())
    # The matrix in the track header, version 0: a quarter turn clockwise.
    matrix = content.index(b"tkhd") + 4 + 40
    one = 1 << 16
    values = (0, one, 0, -one, 0, 0, 240 * one, 0, 1 << 30)
    content[matrix : matrix + 36] = b"".join(v.to_bytes(4, "big", signed=True) for v in values)
    path.write_bytes(content)
    assert _frames(path)[0].pixels.shape == (320, 240, 3)


@pytest.mark.parametrize("name", ["clip.mp4", "clip.avi", "clip.mkv"])
@pytest.mark.parametrize("share", [0.1, 0.5])
def test_a_truncated_video_is_refused(make_clip, name, share):
    path = make_clip(name, frames=20)
    content = path.read_bytes()
    path.write_bytes(content[: int(share * len(content))])
    with pytest.raises(SourceError, match=r"cut short"):
        _frames(path)


@pytest.mark.parametrize("content", [b"", b"no video", bytes(5000)])
def test_what_is_no_video_is_refused(tmp_path, content):
    (tmp_path / "x.mp4").write_bytes(content)
    with pytest.raises(SourceError, match=r"x\.mp4"):
        open_source(tmp_path / "x.mp4")


class FakeCapture:
    """An OpenCV capture that gives a number of frames and then no more."""

    made: list["FakeCapture"] = []  # noqa: RUF012
    opens, frames, fps = True, 2, 0.0

    def __init__(self, *arguments):
        self.arguments, self.asked, self.released, self.given = arguments, {}, False, 0
        self.made.append(self)

    def isOpened(self):  # noqa: N802
        return self.opens

    def get(self, prop):
        return self.fps if prop == cv2.CAP_PROP_FPS else 0.0

    def set(self, prop, value):
        self.asked[prop] = value
        return True

    def read(self):
        self.given += 1
        return (True, np.zeros((4, 6, 3), np.uint8)) if self.given <= self.frames else (False, None)

    def release(self):
        self.released = True


@pytest.fixture
def capture(monkeypatch):
    class Capture(FakeCapture):
        made = []  # noqa: RUF012

    monkeypatch.setattr(cv2, "VideoCapture", Capture)
    return Capture


@pytest.mark.parametrize(("where", "opened"), [(0, 0), ("1", 1), ("/dev/video2", "/dev/video2")])
def test_a_camera_is_opened_as_asked(capture, where, opened):
    with open_once(where, width=640, height=480, fps=15) as source:
        (made,) = capture.made
        assert made.arguments == (opened, cv2.CAP_V4L2)
        assert made.asked[cv2.CAP_PROP_FRAME_WIDTH] == 640
        assert made.asked[cv2.CAP_PROP_FRAME_HEIGHT] == 480
        assert made.asked[cv2.CAP_PROP_FPS] == 15
        assert (source.live, source.count) == (True, None)
        assert not made.released
    assert made.released


def test_a_camera_keeps_its_own_size_unless_asked(capture):
    with open_once(0):
        pass
    (made,) = capture.made
    unasked = {cv2.CAP_PROP_FRAME_WIDTH, cv2.CAP_PROP_FRAME_HEIGHT, cv2.CAP_PROP_FPS}
    assert not unasked & set(made.asked)


@pytest.mark.parametrize(("told", "taken"), [(0.0, 30.0), (25.0, 25.0), (1e6, 30.0)])
def test_a_camera_s_frame_rate_is_one_that_a_video_can_have(capture, told, taken):
    capture.fps = told
    with open_once(0) as source:
        assert source.fps == taken


def test_a_camera_that_stops_is_lost(capture):
    with open_once(0) as source:
        coming = iter(source)
        frames = [next(coming), next(coming)]
        with pytest.raises(SourceLostError, match="camera 0 gave 2 frames"):
            next(coming)
    assert [f.index for f in frames] == [0, 1]
    assert 0 <= frames[0].time <= frames[1].time
    assert all(f.clock > 1e9 and f.name is None for f in frames)
    assert capture.made[0].released


def test_a_camera_that_does_not_open_is_refused(capture):
    capture.opens = False
    with pytest.raises(SourceError, match="camera 3"):
        open_once(3)


def test_a_camera_that_is_not_there_is_refused():
    with pytest.raises(SourceError, match="camera 97"):
        open_once(97)


def test_a_stream_is_opened_with_a_time_limit(capture):
    url = "rtsp://camera.invalid/stream"
    with open_once(url) as source:
        assert source.live is True
    where, api, options = capture.made[0].arguments
    assert (where, api) == (url, cv2.CAP_FFMPEG)
    asked = dict(zip(options[::2], options[1::2], strict=True))
    assert 0 < asked[cv2.CAP_PROP_OPEN_TIMEOUT_MSEC] <= 60_000
    assert 0 < asked[cv2.CAP_PROP_READ_TIMEOUT_MSEC] <= 60_000


def test_a_stream_that_does_not_open_is_refused(capture):
    capture.opens = False
    with pytest.raises(SourceError, match=r"http://camera\.invalid/x"):
        open_once("http://camera.invalid/x")


class FakePicamera2:
    """The parts of picamera2's class that are used, with its own signatures.

    Args:
        camera_num: Which camera.
    """

    last: "FakePicamera2"
    size = None
    """What the driver makes of the size it is asked for; the same if None."""
    padding, frames, format = 0, 3, "RGB888"
    fails_at = None

    def __init__(self, camera_num=0, verbose_console=None, tuning=None, allocator=None):
        self.camera_num, self.calls = camera_num, []
        type(self).last = self
        self._call("__init__")
        self._config, self._given = None, 0

    def _call(self, name):
        self.calls.append(name)
        if self.fails_at == name:
            raise RuntimeError(f"{name} failed")

    def create_video_configuration(
        self,
        main=MappingProxyType({}),
        lores=None,
        raw=MappingProxyType({}),
        transform=None,
        colour_space=None,
        buffer_count=6,
        controls=MappingProxyType({}),
        display="main",
        encode="main",
        queue=True,
        sensor=MappingProxyType({}),
        use_case="video",
    ):
        self._call("create_video_configuration")
        main = {"format": "XBGR8888", "size": (1280, 720), "preserve_ar": True} | main
        return {"main": main, "controls": dict(controls), "buffer_count": buffer_count}

    def configure(self, camera_config="preview"):
        self._call("configure")
        main = dict(camera_config["main"])
        main["size"] = self.size or main["size"]
        main["format"] = self.format
        main["stride"] = 3 * (main["size"][0] + self.padding)
        main["framesize"] = main["stride"] * main["size"][1]
        self._config = camera_config | {"main": main}

    def camera_configuration(self):
        return self._config

    def start(self, config=None, show_preview=False):
        assert config is None
        self._call("start")

    def capture_array(self, name="main", wait=None, signal_function=None):
        assert name == "main"
        self._call("capture_array")
        if self._given == self.frames:
            raise RuntimeError("Camera frontend has timed out!")
        self._given += 1
        width, height = self._config["main"]["size"]
        pixels = np.full((height, width + self.padding, 3), 255, np.uint8)
        pixels[:, :width] = (1, 2, 3)  # blue, green, red
        return pixels

    def stop(self):
        self._call("stop")

    def close(self):
        self._call("close")


@pytest.fixture
def picamera(monkeypatch):
    class Picamera2(FakePicamera2):
        pass

    module = ModuleType("picamera2")
    module.Picamera2 = Picamera2
    monkeypatch.setitem(sys.modules, "picamera2", module)
    return Picamera2


def test_the_pi_s_camera_gives_frames(picamera):
    frames = []
    with open_once("picamera", width=320, height=240, fps=20) as source:
        assert (source.live, source.fps, source.count) == (True, 20, None)
        for frame in source:
            frames.append(frame)
            if len(frames) == 3:
                break
    asked = picamera.last.camera_configuration()
    assert (asked["main"]["format"], asked["main"]["size"]) == ("RGB888", (320, 240))
    assert asked["controls"]["FrameRate"] == 20
    assert [f.index for f in frames] == [0, 1, 2]
    assert 0 <= frames[0].time <= frames[1].time <= frames[2].time
    assert all(f.clock > 1e9 for f in frames)
    assert frames[0].pixels.shape == (240, 320, 3)
    assert (frames[0].pixels == (1, 2, 3)).all()
    assert picamera.last.camera_num == 0
    assert picamera.last.calls[-2:] == ["stop", "close"]


@pytest.mark.parametrize("size", [None, (304, 232)], ids=["as asked", "rounded by the driver"])
@pytest.mark.parametrize("padding", [0, 16])
def test_the_pi_s_camera_s_padding_is_cut_off(picamera, size, padding):
    picamera.size, picamera.padding = size, padding
    with open_once("picamera", width=300, height=232) as source:
        frame = next(iter(source))
    width, height = size or (300, 232)
    assert frame.pixels.shape == (height, width, 3)
    assert (frame.pixels == (1, 2, 3)).all()
    assert frame.pixels.flags.c_contiguous


def test_the_pi_s_camera_that_fails_is_lost(picamera):
    with (
        open_once("picamera") as source,
        pytest.raises(SourceLostError, match=r"3 frames.*timed out"),
    ):
        for _ in source:
            pass
    assert picamera.last.calls[-1] == "close"


@pytest.mark.parametrize("step", ["__init__", "create_video_configuration", "configure", "start"])
def test_the_pi_s_camera_that_does_not_open_is_refused(picamera, step):
    picamera.fails_at = step
    with pytest.raises(SourceError, match=f"{step} failed"):
        open_once("picamera")
    # One that was opened and is of no use must be free for the next try.
    assert picamera.last.calls[-1] == ("close" if step != "__init__" else "__init__")


def test_the_pi_s_camera_of_another_format_is_refused(picamera):
    picamera.format = "YUV420"
    with pytest.raises(SourceError, match="YUV420"):
        open_once("picamera")
    assert picamera.last.calls[-1] == "close"


def test_no_camera_at_the_pi_is_refused(picamera, monkeypatch):
    def none(self, *_):
        raise IndexError("list index out of range")

    monkeypatch.setattr(picamera, "__init__", none)
    with pytest.raises(SourceError, match="rpicam-hello"):
        open_once("picamera")


def test_missing_picamera2_is_named_with_its_package(monkeypatch):
    monkeypatch.setitem(sys.modules, "picamera2", None)
    with pytest.raises(MissingPackageError, match="apt install python3-picamera2"):
        open_once("picamera")
