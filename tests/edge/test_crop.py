"""From a frame to the classifier's input."""

import math

import cv2
import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from edge_fer.card import CropRule, InputSpec
from edge_fer.crop import crop_face, prepare, square_of

COLORS = InputSpec(48, 48, 3, "bgr")
SPECS = [
    InputSpec(),
    COLORS,
    InputSpec(24, 40, 3, "rgb", "linear"),
    InputSpec(100, 60, 1, "gray", "linear"),
]
PLAIN = CropRule(scale=1, shift=0)


@pytest.fixture(scope="module")
def coordinates():
    """A picture whose blue is each pixel's column and whose green is its row."""
    y, x = np.mgrid[:240, :240]
    return np.dstack([x, y, np.full_like(x, 77)]).astype(np.uint8)


def _noise(height, width, color):
    shape = (height, width, 3) if color else (height, width)
    return np.random.default_rng(height * 1000 + width).integers(0, 256, shape, np.uint8)


@given(
    height=st.integers(1, 200),
    width=st.integers(1, 200),
    color=st.booleans(),
    spec=st.sampled_from(SPECS),
)
def test_prepare_gives_the_network_s_shape(height, width, color, spec):
    result = prepare(_noise(height, width, color), spec)
    assert result.shape == (spec.height, spec.width, spec.channels)
    assert result.dtype == np.uint8


@given(level=st.integers(0, 255), size=st.tuples(st.integers(1, 99), st.integers(1, 99)))
def test_prepare_keeps_a_plain_picture_plain(level, size):
    assert (prepare(np.full(size, level, np.uint8), InputSpec()) == level).all()


def test_prepare_changes_nothing_of_a_picture_that_fits():
    grey = _noise(48, 48, color=False)
    assert np.array_equal(prepare(grey, InputSpec())[..., 0], grey)
    color = _noise(48, 48, color=True)
    assert np.array_equal(prepare(color, COLORS), color)


def test_prepare_makes_grey_and_swaps_colors():
    color = _noise(48, 48, color=True)
    grey = prepare(color, InputSpec())[..., 0]
    assert np.array_equal(grey, cv2.cvtColor(color, cv2.COLOR_BGR2GRAY))
    rgb = prepare(color, InputSpec(channels=3, color="rgb"))
    assert np.array_equal(rgb, color[..., ::-1])


def test_prepare_averages_what_it_makes_smaller():
    board = np.indices((96, 96)).sum(0) % 2 * 200
    assert (prepare(board.astype(np.uint8), InputSpec()) == 100).all()


@pytest.mark.parametrize("box", [(60, 70, 48, 48), (60, 70, 96, 96), (60, 70, 30, 30)])
@pytest.mark.parametrize("scale", [1, 1.25])
def test_an_upright_face_is_the_square_about_its_box(coordinates, face_at, box, scale):
    x, y, width, height = box
    result = crop_face(coordinates, face_at(box), CropRule(scale, 0), COLORS)
    side = scale * width
    steps = (np.arange(48) + 0.5) / 48 * side - side / 2
    assert np.abs(result[..., 0] - (x + width / 2 + steps)).max() < 1.25
    assert np.abs(result[..., 1] - (y + height / 2 + steps)[:, None]).max() < 1.25
    assert (result[..., 2] == 77).all()


@pytest.mark.parametrize("degrees", [0, 30, 90, 180, -90, -135])
def test_a_turned_face_is_turned_upright(coordinates, face_at, degrees):
    """The crop's columns run along the line of the eyes, its rows from forehead to chin."""
    angle, width = math.radians(degrees), 72
    box = (84, 78, width, width)
    result = crop_face(coordinates, face_at(box, angle), CropRule(1, 0.25), COLORS)
    along = np.array([math.cos(angle), math.sin(angle)])
    down = np.array([-math.sin(angle), math.cos(angle)])
    steps = (np.arange(48) + 0.5) / 48 * width - width / 2
    center = np.array([120, 114]) - 0.25 * width * down
    expected = center + steps[None, :, None] * along + steps[:, None, None] * down
    assert np.abs(result[..., :2] - expected).max() < 1.5


def test_a_rule_may_leave_a_turned_face_as_it_is(coordinates, face_at):
    rule, box = CropRule(1, 0.1, rotate=False), (84, 84, 72, 72)
    turned = crop_face(coordinates, face_at(box, 1.0), rule, COLORS)
    upright = crop_face(coordinates, face_at(box), rule, COLORS)
    assert np.array_equal(turned, upright)


def test_the_square_s_size_and_angle(face_at):
    center, side, angle = square_of(face_at((10, 20, 100, 80), math.pi / 2), CropRule(1.2, 0.1))
    assert center == pytest.approx((60 + 10, 60), abs=1e-4)
    assert side == pytest.approx(120)
    assert angle == pytest.approx(math.pi / 2)


@pytest.mark.parametrize("degrees", [5, 45, 90, 180, -60])
def test_turning_the_whole_picture_changes_nothing(picture, face_at, degrees):
    box, roll = (177, 83, 95, 95), 0.1
    before = crop_face(picture, face_at(box, roll), CropRule(), InputSpec()).astype(int)
    turn = cv2.getRotationMatrix2D((256, 256), -degrees, 1)
    turned = cv2.warpAffine(picture, turn, (512, 512), flags=cv2.INTER_CUBIC)
    # OpenCV turns about the middle of a pixel; a box is in coordinates of the pixels' edges.
    x, y = turn @ (box[0] + box[2] / 2 - 0.5, box[1] + box[3] / 2 - 0.5, 1) + 0.5
    face = face_at((x - box[2] / 2, y - box[3] / 2, *box[2:]), roll + math.radians(degrees))
    after = crop_face(turned, face, CropRule(), InputSpec())
    assert np.abs(after - before).mean() < 2
    left_turned = crop_face(turned, face, CropRule(rotate=False), InputSpec())
    assert np.abs(left_turned - before).mean() > 4


def test_moving_the_whole_picture_changes_nothing(picture, face_at):
    before = crop_face(picture, face_at((177, 83, 95, 95), 0.1), CropRule(), InputSpec())
    moved = np.roll(picture, (40, 90), axis=(0, 1))
    after = crop_face(moved, face_at((267, 123, 95, 95), 0.1), CropRule(), InputSpec())
    assert np.array_equal(before, after)


def test_a_grey_frame_is_cropped_like_its_color_copy(picture, face_at):
    grey = cv2.cvtColor(picture, cv2.COLOR_BGR2GRAY)
    face = face_at((177, 83, 95, 95), 0.2)
    color = cv2.cvtColor(grey, cv2.COLOR_GRAY2BGR)
    for spec in SPECS:
        from_grey = crop_face(grey, face, CropRule(), spec)
        assert np.array_equal(from_grey, crop_face(color, face, CropRule(), spec))


@pytest.mark.parametrize(
    ("box", "angle"),
    [
        ((-50, -50, 100, 100), 0.3),
        ((450, 450, 120, 120), -1),
        ((600, 100, 60, 60), 0.2),
        ((-200, 200, 100, 100), 2),
        ((200, -190, 100, 100), 0),
        ((-100, -100, 700, 700), 0.1),
    ],
)
def test_beyond_the_frame_its_edge_is_repeated(picture, face_at, box, angle):
    pad = 700
    wide = cv2.copyMakeBorder(picture, pad, pad, pad, pad, cv2.BORDER_REPLICATE)
    x, y, width, height = box
    result = crop_face(picture, face_at(box, angle), CropRule(), InputSpec()).astype(int)
    face = face_at((x + pad, y + pad, width, height), angle)
    assert np.abs(result - crop_face(wide, face, CropRule(), InputSpec())).max() <= 2


far = st.floats(-1e6, 1e6) | st.floats(-100, 100)
long = st.floats(0, 1e6) | st.floats(0, 200)


@given(
    box=st.tuples(far, far, long, long),
    angle=st.floats(-4, 4),
    size=st.tuples(st.integers(1, 70), st.integers(1, 70)),
    color=st.booleans(),
    spec=st.sampled_from(SPECS),
    rule=st.sampled_from([PLAIN, CropRule(), CropRule(5, 1), CropRule(0.2, -1, False)]),
)
@example((0, 0, 0, 0), 0, (1, 1), True, SPECS[0], PLAIN)
@example((-1e6, -1e6, 2e6, 2e6), 0.5, (1, 70), True, SPECS[0], CropRule())
def test_any_box_gives_the_network_s_shape(face_at, box, angle, size, color, spec, rule):
    result = crop_face(_noise(*size, color), face_at(box, angle), rule, spec)
    assert result.shape == (spec.height, spec.width, spec.channels)
    assert result.dtype == np.uint8


def test_eyes_at_one_place_count_as_level(picture, face_at):
    face = face_at((177, 83, 95, 95))
    level = crop_face(picture, face, CropRule(), InputSpec())
    face.keypoints[:] = 200
    assert np.array_equal(crop_face(picture, face, CropRule(), InputSpec()), level)
