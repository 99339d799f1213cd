"""Pictures on standard input."""

import io

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge_fer.errors import SourceError
from edge_fer.sources.stdin import StandardInput


def encoded(value: int, suffix: str = ".jpg", side: int = 40) -> bytes:
    noise = np.random.default_rng(value).integers(0, 30, (side, side, 3))
    _, content = cv2.imencode(suffix, np.clip(noise + value, 0, 255).astype(np.uint8))
    return content.tobytes()


class Drip(io.BytesIO):
    """A pipe that gives a few bytes at a time."""

    def __init__(self, content, step):
        super().__init__(content)
        self._step = step

    def read1(self, size=-1):
        return super().read(min(self._step, size) if size > 0 else self._step)


def levels(content: bytes, step: int = 1000) -> list[int]:
    with StandardInput(Drip(content, step)) as source:
        return [round(float(frame.pixels.mean()) - 14.5) for frame in source]


@pytest.mark.parametrize("suffix", [".jpg", ".png", ".webp", ".bmp"])
def test_one_picture_is_a_picture(suffix):
    with StandardInput(io.BytesIO(encoded(100, suffix))) as source:
        assert (source.live, source.fps, source.count) == (False, None, 1)
        (frame,) = source
    assert frame.name == "standard input"
    assert frame.pixels.shape == (40, 40, 3)


@settings(deadline=None, max_examples=40)
@given(step=st.integers(1, 3000), values=st.lists(st.integers(20, 200), min_size=2, max_size=5))
def test_every_picture_of_a_stream_comes_however_it_is_cut(step, values):
    content = b"".join(encoded(value) for value in values)
    np.testing.assert_allclose(levels(content, step), values, atol=2)


def test_a_stream_counts_and_keeps_time():
    content = encoded(50) + encoded(100) + encoded(150)
    with StandardInput(io.BytesIO(content)) as source:
        assert (source.fps, source.count) == (25.0, None)
        frames = list(source)
    assert [f.index for f in frames] == [0, 1, 2]
    assert [f.time for f in frames] == sorted(f.time for f in frames)
    assert frames[0].name is None


def test_a_thumbnail_inside_does_not_cut_its_picture():
    outer, thumbnail = encoded(100, side=120), encoded(30, side=16)
    segment = b"\xff\xe1" + (len(thumbnail) + 2).to_bytes(2, "big") + thumbnail
    nested = outer[:2] + segment + outer[2:]
    assert levels(nested + encoded(60)) == pytest.approx([100, 60], abs=2)


def test_what_lies_between_pictures_is_passed_over():
    parts = b"\r\n--frame\r\nContent-Type: image/jpeg\r\n\r\n"
    content = encoded(50) + parts + encoded(100) + parts + encoded(150) + b"\r\n--frame--"
    assert levels(content, 37) == pytest.approx([50, 100, 150], abs=2)


def test_a_picture_that_is_cut_short_ends_the_stream():
    content = encoded(50) + encoded(100) + encoded(150)[:-200]
    assert levels(content) == pytest.approx([50, 100], abs=2)


@pytest.mark.parametrize("content", [b"", b"hello", b"\xff\xd8", b"\xff\xd8\xff\xd9", b"\x00" * 99])
def test_what_is_no_picture_is_refused(content):
    with pytest.raises(SourceError, match="standard input"):
        StandardInput(io.BytesIO(content))


@settings(deadline=None, max_examples=100)
@given(st.binary(max_size=400), st.integers(1, 50))
def test_no_bytes_crash_or_hang_it(junk, step):
    try:
        levels(encoded(50, side=8) + junk + encoded(90, side=8), step)
    except SourceError:
        pytest.fail("the first picture is whole")
