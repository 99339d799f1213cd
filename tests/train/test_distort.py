"""What happens to pictures, each change against what it does by hand."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_fer.train import distort

CHANGES = {
    "move": lambda p, _: distort.move(p, turn=17, scale=1.2, right=0.1, down=-0.2),
    "relight": lambda p, _: distort.relight(p, 1.5, -30),
    "shade": lambda p, _: distort.shade(p, 1, 0.8),
    "darken": lambda p, _: distort.darken(p, 2.5),
    "blur": lambda p, _: distort.blur(p, 1.2),
    "lose resolution": lambda p, _: distort.lose_resolution(p, 0.4),
    "noise": lambda p, rng: distort.add_noise(p, 15, rng),
    "compress": lambda p, _: distort.compress(p, 20),
    "cover": lambda p, _: distort.cover(p, (2, 3, 4, 5), 77),
}
NOTHING = {
    "move": lambda p, _: distort.move(p),
    "relight": lambda p, _: distort.relight(p),
    "shade": lambda p, _: distort.shade(p, 1, 0),
    "darken": lambda p, _: distort.darken(p, 1),
    "lose resolution": lambda p, _: distort.lose_resolution(p, 1),
    "noise": lambda p, rng: distort.add_noise(p, 0, rng),
    "cover": lambda p, _: distort.cover(p, (2, 3, 0, 0), 77),
}


@st.composite
def pictures(draw):
    """Noise of any size, with no axis of channels, or with one or three channels."""
    size = draw(st.integers(8, 40)), draw(st.integers(8, 40))
    shape = (*size, *draw(st.sampled_from([(), (1,), (3,)])))
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    return rng.integers(0, 256, shape).astype(np.uint8)


def _plain(level, height=48, width=48):
    return np.full((height, width), level, np.uint8)


def _rng():
    return np.random.default_rng(5)


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
@given(picture=pictures())
def test_shape_and_kind_stay_and_the_picture_is_not_touched(change, picture):
    before = picture.copy()
    changed = change(picture, _rng())
    assert changed.shape == picture.shape
    assert changed.dtype == np.uint8
    assert not np.shares_memory(changed, picture)
    np.testing.assert_array_equal(picture, before)
    assert (changed != picture).any()
    np.testing.assert_array_equal(change(picture, _rng()), changed)


@pytest.mark.parametrize("change", NOTHING.values(), ids=NOTHING)
@given(picture=pictures())
def test_no_strength_changes_nothing(change, picture):
    np.testing.assert_array_equal(change(picture, _rng()), picture)


@pytest.mark.parametrize("name", [name for name in CHANGES if name != "compress"])
def test_an_axis_of_one_channel_makes_no_difference(name):
    picture = _rng().integers(0, 256, (20, 30)).astype(np.uint8)
    changed = CHANGES[name](picture, _rng())
    np.testing.assert_array_equal(CHANGES[name](picture[..., None], _rng())[..., 0], changed)


# Moving


@given(picture=pictures(), right=st.integers(-7, 7), down=st.integers(-7, 7))
def test_move_by_whole_pixels_is_exact_and_repeats_the_border(picture, right, down):
    height, width = picture.shape[:2]
    moved = distort.move(picture, right=right / width, down=down / height)
    rows = np.clip(np.arange(height) - down, 0, height - 1)
    columns = np.clip(np.arange(width) - right, 0, width - 1)
    np.testing.assert_array_equal(moved, picture[rows][:, columns])


@pytest.mark.parametrize("side", [24, 25])
def test_a_quarter_turn_is_counter_clockwise_about_the_centre(side):
    picture = _rng().integers(0, 256, (side, side)).astype(np.uint8)
    np.testing.assert_array_equal(distort.move(picture, turn=90), np.rot90(picture))
    np.testing.assert_array_equal(distort.move(picture, turn=-90), np.rot90(picture, -1))


def test_scale_enlarges_about_the_centre():
    ramp = np.tile(np.arange(33, dtype=np.uint8) * 4, (33, 1))
    np.testing.assert_array_equal(distort.move(ramp, scale=2)[16], 32 + np.arange(33) * 2)
    small = distort.move(ramp, scale=0.5)[16]
    np.testing.assert_array_equal(small[8:25], np.arange(17) * 8)
    assert set(small[:8]) == {0}
    assert set(small[25:]) == {128}


# Light


@given(st.floats(0, 1.8), st.integers(0, 2**32))
def test_relight_keeps_the_mean(gain, seed):
    picture = np.random.default_rng(seed).integers(90, 160, (24, 24)).astype(np.uint8)
    lit = distort.relight(picture, gain)
    assert abs(lit.mean() - picture.mean()) <= 0.5
    assert lit.std() == pytest.approx(gain * picture.std(), abs=0.5)


def test_relight_by_hand():
    picture = np.array([[100, 140]] * 8, np.uint8).repeat(4, 1)
    assert np.unique(distort.relight(picture, 1.5)).tolist() == [90, 150]
    assert np.unique(distort.relight(picture, 1.5, 20)).tolist() == [110, 170]
    np.testing.assert_array_equal(distort.relight(picture, light=-30), picture - 30)


def test_both_ends_of_the_light_are_cut_off_not_wrapped():
    picture = np.array([[10, 200]] * 8, np.uint8).repeat(4, 1)
    assert np.unique(distort.relight(picture, 3.0)).tolist() == [0, 255]
    assert np.unique(distort.relight(picture, light=100)).tolist() == [110, 255]
    assert np.unique(distort.relight(picture, light=-100)).tolist() == [0, 100]
    assert np.unique(distort.shade(_plain(200), 0, 0.8)).max() == 255
    assert distort.add_noise(_plain(255), 50, _rng()).max() == 255
    assert distort.add_noise(_plain(255), 50, _rng()).min() > 30
    assert distort.add_noise(_plain(0), 50, _rng()).max() < 225


@pytest.mark.parametrize(
    ("angle", "turns"),
    [(0, 0), (math.pi / 2, 3), (math.pi, 2), (3 * math.pi / 2, 1)],
    ids=["right", "below", "left", "above"],
)
def test_shade_is_as_bright_as_asked_at_both_edges(angle, turns):
    lit = np.rot90(distort.shade(_plain(100), angle, 0.5), -turns).astype(int)
    assert lit[:, 0].tolist() == pytest.approx([50] * 48, abs=1)
    assert lit[:, -1].tolist() == pytest.approx([150] * 48, abs=1)
    assert (np.diff(lit, axis=1) >= 0).all()


@given(st.floats(0, 2 * math.pi), st.floats(0.1, 1), st.sampled_from([(), (1,), (3,)]))
def test_shade_is_brighter_on_the_lit_side_from_everywhere(angle, strength, channels):
    lit = distort.shade(np.full((32, 32, *channels), 100, np.uint8), angle, strength)
    y, x = np.mgrid[:32, :32] - 15.5
    towards = x * math.cos(angle) + y * math.sin(angle)
    assert lit[towards > 4].min() > lit[towards < -4].max()


def test_darken_by_hand():
    picture = np.arange(256, dtype=np.uint8).reshape(16, 16)
    dark, bright = (distort.darken(picture, gamma).ravel().astype(int) for gamma in (2, 0.5))
    assert (dark[128], bright[64]) == (64, 128)  # 255 * (128 / 255) ** 2, 255 * (64 / 255) ** 0.5
    assert (dark[[0, 255]] == [0, 255]).all()
    assert (bright[[0, 255]] == [0, 255]).all()
    assert (dark <= np.arange(256)).all()
    assert (bright >= np.arange(256)).all()


# The camera


def test_blur_has_the_deviation_asked_for():
    line = _plain(0, 61, 61)
    line[:, 30] = 255
    spread = distort.blur(line, 2.0)[30].astype(float)
    places = np.arange(61) - 30
    assert (spread * places).sum() == 0
    assert math.sqrt((spread * places**2).sum() / spread.sum()) == pytest.approx(2, rel=0.03)
    np.testing.assert_array_equal(distort.blur(_plain(93), 3), _plain(93))


def test_lost_resolution_cannot_be_told_from_its_mean():
    checkers = (255 * (np.indices((48, 48)).sum(0) % 2)).astype(np.uint8)
    half = distort.lose_resolution(checkers, 0.5)
    assert set(np.unique(half)) <= {127, 128}
    one = distort.lose_resolution(np.arange(64, dtype=np.uint8).reshape(8, 8), 0.01)
    assert len(np.unique(one)) == 1
    assert one[0, 0] == pytest.approx(31.5, abs=0.5)


def test_lost_resolution_keeps_what_is_large():
    halves = _plain(20)
    halves[:, 24:] = 200
    lost = distort.lose_resolution(halves, 0.25)
    assert set(np.unique(lost[:, :20])) == {20}
    assert set(np.unique(lost[:, 28:])) == {200}


def test_noise_has_the_deviation_asked_for_and_no_mean():
    for deviation in (4, 15):
        noise = distort.add_noise(_plain(128, 120, 120), deviation, _rng()) - 128.0
        assert noise.std() == pytest.approx(deviation, rel=0.03)
        assert abs(noise.mean()) < 4 * deviation / 120
    colored = distort.add_noise(np.full((48, 48, 3), 128, np.uint8), 9, _rng())
    assert (colored[..., 0] != colored[..., 1]).mean() > 0.5  # every channel its own


def test_noise_is_new_every_time():
    rng = _rng()
    first, second = (distort.add_noise(_plain(128), 5, rng) for _ in range(2))
    assert (first != second).mean() > 0.5


def test_compression_costs_more_the_lower_the_quality():
    y, x = np.mgrid[:48, :48]
    picture = (128 + 60 * np.sin(x / 5) + 40 * np.cos(y / 3)).astype(np.uint8)
    far = [
        np.abs(distort.compress(picture, quality) - picture.astype(float)).mean()
        for quality in (100, 50, 10, 1)
    ]
    assert far == sorted(far)
    assert far[0] < 1
    assert far[-1] > 10


def test_compression_keeps_the_order_of_the_channels():
    picture = np.full((16, 16, 3), (30, 120, 220), np.uint8)
    assert np.abs(distort.compress(picture, 90) - picture.astype(int)).max() <= 4


# Covering


def test_cover_hides_the_rectangle_and_nothing_else():
    picture = _rng().integers(0, 200, (20, 30, 3)).astype(np.uint8)
    covered = distort.cover(picture, (4, 7, 10, 5), 250)
    assert (covered[7:12, 4:14] == 250).all()
    assert (covered == 250).sum() == 10 * 5 * 3
    hidden = (covered != picture).any(2)
    assert hidden.sum() == 10 * 5


def test_a_cover_that_reaches_outwards_ends_at_the_border():
    covered = distort.cover(_plain(9, 20, 30), (25, 15, 30, 30), 0)
    assert (covered == 0).sum() == 5 * 5
    assert (covered[15:, 25:] == 0).all()
