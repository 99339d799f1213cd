"""Augmentation: by chance, but always the same chance for the same seed."""

import dataclasses

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge_fer.train.augment import Augment

NOTHING = Augment(flip=0, rotate=0, scale=0, shift=0, contrast=0, brightness=0, blur=0, erase=0)
FULL = Augment(flip=0.5, shade=0.5, blur=0.5, noise=0.5, jpeg=0.5, erase=0.5)


def _pictures(height: int = 48, width: int = 48, channels: int = 1, count: int = 3) -> np.ndarray:
    shape = (count, height, width, channels)
    return np.random.default_rng(7).integers(0, 256, shape).astype(np.uint8)


def _apply(augment: Augment, pictures: np.ndarray, seed: int) -> np.ndarray:
    views = augment.view(pictures, np.arange(len(pictures)), seed, 0)
    return augment.cover(views, np.random.default_rng(seed))


SIZES = {
    "height": st.integers(8, 96),
    "width": st.integers(8, 96),
    "channels": st.sampled_from([1, 3]),
}


@settings(deadline=None)
@given(**SIZES, seed=st.integers(0, 2**32))
def test_shape_and_kind_stay_and_the_seed_decides(height, width, channels, seed):
    pictures = _pictures(height, width, channels)
    before = pictures.copy()
    changed = _apply(FULL, pictures, seed)
    assert changed.shape == pictures.shape
    assert changed.dtype == np.uint8
    np.testing.assert_array_equal(pictures, before)
    assert not np.shares_memory(changed, pictures)
    np.testing.assert_array_equal(_apply(FULL, pictures, seed), changed)


@settings(deadline=None)
@given(**SIZES, seed=st.integers(0, 2**32))
def test_no_strength_changes_nothing(height, width, channels, seed):
    pictures = _pictures(height, width, channels)
    np.testing.assert_array_equal(_apply(NOTHING, pictures, seed), pictures)


@settings(deadline=None)
@given(**SIZES, seed=st.integers(0, 2**32))
def test_flip_alone_is_the_exact_mirror(height, width, channels, seed):
    pictures = _pictures(height, width, channels)
    flip = dataclasses.replace(NOTHING, flip=1)
    mirrored = _apply(flip, pictures, seed)
    np.testing.assert_array_equal(mirrored, pictures[:, :, ::-1])


@pytest.mark.parametrize(
    "change",
    [{"rotate": 12.0}, {"scale": 0.12}, {"shift": 0.08}, {"contrast": 0.3}, {"brightness": 30.0},
     {"shade": 1.0}, {"blur": 1.0}, {"noise": 1.0}, {"jpeg": 1.0}, {"erase": 1.0}],
    ids=lambda change: next(iter(change)),
)  # fmt: skip
def test_every_change_changes_and_by_chance(change):
    augment = dataclasses.replace(NOTHING, **change)
    pictures = np.repeat(_pictures(count=1), 8, axis=0)
    changed = _apply(augment, pictures, 1)
    assert np.mean([(picture != pictures[0]).any() for picture in changed]) > 0.5
    assert len({picture.tobytes() for picture in changed}) > len(changed) / 2


def test_flip_comes_as_often_as_asked():
    pictures = np.repeat(_pictures(count=1), 400, axis=0)
    flipped = _apply(dataclasses.replace(NOTHING, flip=0.25), pictures, 1)
    share = (flipped == pictures[:, :, ::-1]).all((1, 2, 3)).mean()
    assert 0.15 < share < 0.35  # 4.6 standard deviations either way


def test_brightness_moves_all_pixels_alike_within_its_range():
    pictures = np.full((200, 16, 16, 1), 128, np.uint8)
    lit = _apply(dataclasses.replace(NOTHING, brightness=30), pictures, 1)
    levels = lit[:, 0, 0, 0].astype(int) - 128
    assert (lit == lit[:, :1, :1]).all()
    assert -30 <= levels.min() < -20
    assert 20 < levels.max() <= 30


def test_bright_and_dark_end_are_cut_off_not_wrapped():
    strong = dataclasses.replace(NOTHING, brightness=200, contrast=0.9)
    ramp = np.tile(np.arange(0, 256, 8, dtype=np.uint8), (100, 32, 1))[..., None]
    changed = _apply(strong, ramp, 1).astype(int)
    assert (np.diff(changed, axis=2) >= 0).all()


def test_contrast_keeps_the_mean():
    pictures = np.clip(np.random.default_rng(0).normal(128, 15, (50, 48, 48, 1)), 0, 255)
    pictures = pictures.astype(np.uint8)
    changed = _apply(dataclasses.replace(NOTHING, contrast=0.5), pictures, 1)
    spread = changed.std((1, 2, 3)) / pictures.std((1, 2, 3))
    assert abs(changed.mean((1, 2, 3)) - pictures.mean((1, 2, 3))).max() < 1
    assert 0.45 < spread.min() < 0.7
    assert 1.3 < spread.max() < 1.55


def test_erase_hides_one_rectangle_of_one_shade():
    pictures = _pictures(count=40)
    erased = _apply(dataclasses.replace(NOTHING, erase=1), pictures, 1)
    for picture, before in zip(erased[..., 0], pictures[..., 0], strict=True):
        rows, columns = np.nonzero(picture != before)
        part = picture[rows.min() : rows.max() + 1, columns.min() : columns.max() + 1]
        assert len(np.unique(part)) == 1
        assert 0.1 * 48 <= part.shape[0] <= 0.46 * 48
        assert 0.1 * 48 <= part.shape[1] <= 0.46 * 48


def test_shift_and_scale_stay_within_their_range():
    # one bright column: where it ends up tells the move
    pictures = np.zeros((100, 49, 49, 1), np.uint8)
    pictures[:, :, 24] = 255
    moved = _apply(dataclasses.replace(NOTHING, shift=0.1), pictures, 1)
    profile = moved.astype(float).mean((1, 3))
    center = (profile * np.arange(49)).sum(1) / profile.sum(1) - 24
    assert 0.07 * 49 < abs(center).max() <= 0.1 * 49 + 0.1
    assert center.min() < 0 < center.max()


def test_a_view_is_the_same_whatever_it_is_asked_with():
    pictures = _pictures(count=6)
    views = FULL.view(pictures, np.arange(6), 5, 3)
    picked = np.array([4, 1])
    np.testing.assert_array_equal(FULL.view(pictures[picked], picked, 5, 3), views[picked])
    assert (FULL.view(pictures, np.arange(6), 5, 4) != views).any()
    assert (FULL.view(pictures, np.arange(6), 6, 3) != views).any()


def test_no_view_is_mirrored_or_hidden():
    covered = dataclasses.replace(NOTHING, flip=1, erase=1)
    pictures = _pictures(count=4)
    np.testing.assert_array_equal(covered.view(pictures, np.arange(4), 1, 0), pictures)


@settings(deadline=None)
@given(seed=st.integers(0, 2**32), strength=st.floats(0.05, 5))
def test_mixed_targets_stay_shares_and_follow_the_pictures(seed, strength):
    augment = dataclasses.replace(NOTHING, mixup=strength)
    pixels = np.repeat(np.arange(8, dtype=np.float32)[:, None, None, None], 4, 1)
    targets = np.eye(8, dtype=np.float32)
    mixed, wanted = augment.mix(pixels, targets, np.random.default_rng(seed))
    np.testing.assert_allclose(wanted.sum(1), 1, rtol=1e-5)
    np.testing.assert_allclose(mixed[:, 0, 0, 0], wanted @ np.arange(8), atol=1e-4)
    assert (wanted.argmax(1) == np.arange(8)).all() or (np.diag(wanted) > 0.49).all()


def test_without_mixup_nothing_is_copied():
    pixels, targets = np.zeros((2, 4, 4, 1), np.float32), np.eye(2, dtype=np.float32)
    mixed, wanted = NOTHING.mix(pixels, targets, np.random.default_rng(0))
    assert mixed is pixels
    assert wanted is targets


def test_what_covers_a_picture_does_not_decide_its_views():
    other = dataclasses.replace(FULL, flip=0.1, erase=0.9, mixup=2)
    assert other.of_views() == FULL.of_views()
    pictures = _pictures(count=3)
    same = [augment.view(pictures, np.arange(3), 1, 0) for augment in (FULL, other)]
    np.testing.assert_array_equal(*same)
    for name in FULL.of_views():
        changed = dataclasses.replace(FULL, **{name: getattr(FULL, name) + 0.01})
        assert changed.of_views() != FULL.of_views()
