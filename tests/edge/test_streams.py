"""Streams from real servers: RTSP from GStreamer's, MJPEG over HTTP from FFmpeg."""

import itertools
import shutil
import socket
import subprocess
import threading
import time
from contextlib import contextmanager
from pathlib import Path

import pytest

from edge_fer.errors import SourceError
from edge_fer.sources import open_source

SYSTEM_PYTHON = "/usr/bin/python3"
RTSP = Path(__file__).with_name("rtsp_server.py")


def _has_rtsp_server():
    code = "import gi; gi.require_version('GstRtspServer', '1.0')"
    try:
        done = subprocess.run([SYSTEM_PYTHON, "-c", code], capture_output=True, check=False)
    except OSError:
        return False
    return done.returncode == 0


@pytest.fixture
def port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


@contextmanager
def running(*command):
    process = subprocess.Popen(
        list(map(str, command)), stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )  # fmt: skip
    try:
        yield process
    finally:
        process.kill()
        process.wait(10)


def opened(url, **options):
    """The source, as soon as the server is up."""
    for _ in range(50):
        try:
            return open_source(url, **options)
        except SourceError:
            time.sleep(0.2)
    raise AssertionError(f"{url} never came up")


def read(source, count):
    patience = threading.Timer(30, source.stop)
    patience.start()
    frames = list(itertools.islice(source, count))
    patience.cancel()
    assert len(frames) == count, "the stream stopped"
    return frames


def ffmpeg_mjpeg(port):
    return (
        *("ffmpeg", "-re", "-f", "lavfi", "-i", "testsrc2=size=320x240:rate=25", "-f", "mpjpeg"),
        *("-listen", "1", f"http://127.0.0.1:{port}/video"),
    )


@pytest.mark.skipif(not _has_rtsp_server(), reason="needs Debian's gir1.2-gst-rtsp-server-1.0")
def test_rtsp(port):
    with running(SYSTEM_PYTHON, RTSP, port), opened(f"rtsp://127.0.0.1:{port}/ball") as source:
        frames = read(source, 20)
    assert source.live
    assert frames[0].pixels.shape == (240, 320, 3)
    assert [f.time for f in frames] == sorted(f.time for f in frames)
    assert (frames[0].pixels != frames[-1].pixels).any()


@pytest.mark.skipif(not _has_rtsp_server(), reason="needs Debian's gir1.2-gst-rtsp-server-1.0")
def test_an_rtsp_server_that_dies_and_comes_back(port):
    said = []
    with running(SYSTEM_PYTHON, RTSP, port) as server:
        source = opened(f"rtsp://127.0.0.1:{port}/ball", stall=1.0, on_event=said.append)
        with source:
            before = read(source, 3)
            server.kill()
            coming = iter(source)
            patience = threading.Timer(40, source.stop)
            patience.start()
            with running(SYSTEM_PYTHON, RTSP, port):
                last = before[-1]
                while source.health.reopened == 0 or source.health.state != "reading":
                    last = next(coming)
                assert next(coming).index > last.index > before[-1].index
            patience.cancel()
    assert any("again in" in line for line in said)
    assert any("is back" in line for line in said)


@pytest.mark.skipif(shutil.which("ffmpeg") is None, reason="needs Debian's ffmpeg")
def test_mjpeg_over_http(port):
    with running(*ffmpeg_mjpeg(port)), opened(f"http://127.0.0.1:{port}/video") as source:
        frames = read(source, 10)
    assert frames[0].pixels.shape == (240, 320, 3)
    assert (frames[0].pixels != frames[-1].pixels).any()


@pytest.mark.skipif(shutil.which("ffmpeg") is None, reason="needs Debian's ffmpeg")
def test_mjpeg_through_a_pipe(command):
    clip = ["ffmpeg", "-f", "lavfi", "-i", "testsrc2=size=320x240:rate=25:duration=1"]
    made = subprocess.run([*clip, "-f", "mjpeg", "-"], capture_output=True, check=True)
    done = subprocess.run(
        [command, "run", "-", "--jsonl", "-", "--detector", "blazeface"],
        input=made.stdout, capture_output=True, timeout=60, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert len(done.stdout.splitlines()) == 25
