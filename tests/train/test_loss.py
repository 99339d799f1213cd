"""The loss and the accuracy of training, against NumPy."""

import numpy as np
import pytest

from edge_fer.train.heads import Head

pytestmark = pytest.mark.train

FIRST = Head("fer2013", ("a", "b", "c"), slice(0, 3), 1.0)
SECOND = Head("ferplus", ("a", "b"), slice(3, 5), 0.5)


@pytest.fixture
def logits():
    return np.random.default_rng(3).normal(0, 3, (6, 5)).astype(np.float32)


@pytest.fixture
def targets():
    """Shares times weights; the last row teaches the second head nothing."""
    rng = np.random.default_rng(4)
    shares = [rng.dirichlet(np.ones(width), 6) for width in (3, 2)]
    weighted = np.concatenate([shares[0] * rng.uniform(0.5, 2, (6, 1)), shares[1] * 0.5], 1)
    weighted[-1, 3:] = 0
    return weighted.astype(np.float32)


def _by_hand(targets, logits):
    logits = logits.astype(np.float64)
    return -(targets * (logits - np.log(np.exp(logits).sum(1, keepdims=True)))).sum(1)


def _loss(heads, targets, logits):
    from edge_fer.train.loss import cross_entropy

    return np.asarray(cross_entropy(heads)(targets, logits))


def test_one_head_is_the_weighted_cross_entropy(targets, logits):
    loss = _loss([FIRST], targets[:, :3], logits[:, :3])
    np.testing.assert_allclose(loss, _by_hand(targets[:, :3], logits[:, :3]), rtol=1e-5)


def test_heads_have_a_softmax_each_and_their_losses_are_added(targets, logits):
    parts = [_by_hand(targets[:, h.columns], logits[:, h.columns]) for h in (FIRST, SECOND)]
    loss = _loss([FIRST, SECOND], targets, logits)
    assert loss.shape == (6,)
    np.testing.assert_allclose(loss, sum(parts), rtol=1e-5)
    np.testing.assert_allclose(loss[-1], parts[0][-1], rtol=1e-5)
    logits[:, 3:] += 100  # what one head says does not bear on the other
    np.testing.assert_allclose(_loss([FIRST, SECOND], targets, logits), sum(parts), rtol=1e-4)


def test_rows_of_zeros_teach_nothing(logits):
    assert _loss([FIRST, SECOND], np.zeros((6, 5), np.float32), logits).tolist() == [0] * 6


def test_even_logits_cost_the_logarithm_of_the_classes():
    targets = np.array([[0, 2, 0, 0.25, 0.25]], np.float32)
    loss = _loss([FIRST, SECOND], targets, np.full((1, 5), 7, np.float32))
    assert loss[0] == pytest.approx(2 * np.log(3) + 0.5 * np.log(2), rel=1e-6)


def test_accuracy_is_of_the_heads_own_columns():
    from edge_fer.train.loss import accuracy

    targets = np.array([[0, 3, 1, 9, 0], [2, 0, 0, 0, 9]], np.float32)
    logits = np.array([[0, 5, 1, 0, 99], [0, 1, 0, 0, 99]], np.float32)
    for head, right in ((FIRST, [1, 0]), (SECOND, [0, 1])):
        metric = accuracy(head)
        assert metric.__name__ == "accuracy"  # the history's column
        assert np.asarray(metric(targets, logits)).tolist() == right
