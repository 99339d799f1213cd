"""Drawing onto frames."""

import cv2
import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from edge_fer.draw import annotate

SIZES = [(1, 1), (5, 3), (48, 48), (480, 640), (2160, 3840)]


def _changed(before, after):
    """Rows and columns of the pixels that differ."""
    return np.nonzero((before != after).any(-1))


def test_the_frame_itself_is_not_changed(picture, read_face):
    before = picture.copy()
    after = annotate(picture, [read_face((177, 83, 95, 95))])
    assert after is not picture
    assert after.shape == picture.shape
    assert after.dtype == np.uint8
    assert np.array_equal(picture, before)
    assert not np.array_equal(after, before)


def test_nothing_is_drawn_without_faces(picture):
    after = annotate(picture, [])
    assert np.array_equal(after, picture)
    assert not np.shares_memory(after, picture)


def test_a_face_that_is_not_read_gets_its_box_only(picture, face_at):
    x, y, width, height = 150, 120, 100, 80
    after = annotate(picture, [face_at((x, y, width, height))])
    rows, columns = _changed(picture, after)
    assert rows.min() == pytest.approx(y, abs=3)
    assert rows.max() == pytest.approx(y + height, abs=3)
    assert columns.min() == pytest.approx(x, abs=3)
    assert columns.max() == pytest.approx(x + width, abs=3)
    inside = (slice(y + 4, y + height - 4), slice(x + 4, x + width - 4))
    assert np.array_equal(after[inside], picture[inside])


def test_the_text_stands_above_the_box_and_the_bars_beside_it(picture, read_face):
    x, y, width, height = 100, 200, 120, 120
    after = annotate(picture, [read_face((x, y, width, height))])
    rows, columns = _changed(picture, after)
    assert ((rows < y - 5) & (columns >= x)).any()
    assert ((columns > x + width + 5) & (rows >= y)).any()
    assert columns.min() >= x - 3


def test_the_bars_go_to_the_left_where_the_right_has_no_room(picture, read_face):
    after = annotate(picture, [read_face((380, 200, 120, 120))])
    rows, columns = _changed(picture, after)
    assert ((columns < 370) & (rows > 210)).any()


def test_a_face_as_wide_as_the_frame_is_not_covered(picture, read_face):
    after = annotate(picture, [read_face((20, 80, 470, 400))])
    assert np.array_equal(after[90:470, 30:480], picture[90:470, 30:480])


def test_a_higher_probability_has_a_longer_bar(picture, read_face):
    def length(confidence):
        face = read_face((100, 200, 120, 120), confidence=confidence)
        after = annotate(np.zeros_like(picture), [face])
        color = after[190, 102]  # the edge of the text's ground
        return int((after[205:, 225:] == color).all(-1).sum())

    assert length(0.99) > 1.5 * length(0.5) > 0


def test_emotions_have_their_own_colors(picture, read_face):
    boxes = [
        annotate(picture, [read_face((100, 200, 120, 120), emotion)])[260, 100].tolist()
        for emotion in ("angry", "happy", "sad")
    ]
    assert len({tuple(color) for color in boxes}) == 3


def test_uncertain_readings_and_tracks_are_marked(picture, read_face):
    drawn = [
        annotate(picture, [read_face((100, 200, 120, 120), **facts)])
        for facts in ({}, {"uncertain": True}, {"id": 4})
    ]
    assert not np.array_equal(drawn[0], drawn[1])
    assert not np.array_equal(drawn[0], drawn[2])


def test_an_unknown_emotion_is_drawn_too(picture, face_at):
    face = face_at(
        (100, 100, 80, 80), emotion="bored", confidence=0.6, probabilities={"bored": 0.6, "x": 0.4}
    )
    assert len(_changed(picture, annotate(picture, [face]))[0])


@pytest.mark.parametrize(("height", "width"), SIZES)
@pytest.mark.parametrize("across", [-1, 0, 1])
@pytest.mark.parametrize("down", [-1, 0, 1])
def test_faces_at_all_edges_are_drawn(read_face, height, width, across, down):
    side = max(2, min(height, width) // 2)
    x, y = (across + 1) * (width - 1) / 2 - side / 2, (down + 1) * (height - 1) / 2 - side / 2
    frame = np.full((height, width, 3), 128, np.uint8)
    after = annotate(frame, [read_face((x, y, side, side))])
    assert after.shape == frame.shape
    assert len(_changed(frame, after)[0])


place, length = st.floats(-1e5, 1e5) | st.floats(-50, 150), st.floats(0, 1e5) | st.floats(0, 90)


@given(
    box=st.tuples(place, place, length, length),
    size=st.tuples(st.integers(1, 120), st.integers(1, 120)),
    confidence=st.floats(0, 1),
    facts=st.fixed_dictionaries(
        {}, optional={"id": st.integers(1, 10**9), "uncertain": st.booleans()}
    ),
)
@example((0, 0, 0, 0), (1, 1), 1.0, {})
@example((-1e5, -1e5, 2e5, 2e5), (120, 120), 0.0, {})
def test_any_box_is_drawn(read_face, box, size, confidence, facts):
    frame = np.full((*size, 3), 128, np.uint8)
    after = annotate(frame, [read_face(box, confidence=confidence, **facts)])
    assert after.shape == frame.shape
    assert (frame == 128).all()


def test_blurred_faces_cannot_be_recognised(picture, read_face):
    face = read_face((177, 83, 95, 95))
    after = annotate(picture, [face], blurred=True)
    # Away from box, tag and bars the face is a few blocks: hardly any detail is left.
    before, hidden = (p[140:170, 190:260].astype(float) for p in (picture, after))
    assert np.abs(np.diff(hidden, axis=1)).mean() < 0.2 * np.abs(np.diff(before, axis=1)).mean()
    assert np.array_equal(after[:, :100], picture[:, :100])


@pytest.mark.parametrize("box", [(-50, -50, 40, 40), (-20, 30, 60, 60), (500, 400, 90, 90)])
def test_blurring_over_the_edge_does_no_harm(picture, read_face, box):
    assert annotate(picture, [read_face(box)], blurred=True).shape == picture.shape


@pytest.mark.parametrize(
    ("person", "written"), [("Zo\u00eb", "Zoe: happy"), ("\u674e", "4: happy"), (None, "4: happy")]
)
def test_a_name_is_written_with_the_letters_that_the_font_has(
    picture, read_face, monkeypatch, person, written
):
    texts = []
    put = cv2.putText
    monkeypatch.setattr(cv2, "putText", lambda *a: texts.append(a[1]) or put(*a))
    annotate(picture, [read_face((177, 83, 95, 95), id=4, person=person)])
    assert texts[0].startswith(written)
