"""The fused batch norm is Keras's batch norm, only faster."""

import numpy as np
import pytest

from edge_fer.card import InputSpec

pytestmark = pytest.mark.train

BATCH, SIDE = 8, 12


@pytest.fixture(params=["float32", "mixed_bfloat16"])
def precision(request):
    import keras

    keras.config.set_dtype_policy(request.param)
    yield request.param
    keras.config.set_dtype_policy("float32")


@pytest.fixture
def pair(precision):
    """A network whose batch norms have seen something, and its fused copy."""
    from edge_fer.train.fused import fused
    from edge_fer.train.networks import build

    options = {"stem": 4, "widths": [6], "blocks": [1], "dropout": 0.0}
    model = build("residual", InputSpec(SIDE, SIDE), 5, options)
    rng = np.random.default_rng(1)
    for layer in model.layers:
        if layer.name.endswith("norm"):
            gamma, beta, mean, variance = (w.shape for w in layer.weights)
            layer.set_weights([rng.uniform(0.5, 1.5, gamma), rng.normal(0, 0.3, beta),
                               rng.normal(0, 1, mean), rng.uniform(0.5, 20, variance)])  # fmt: skip
    return model, fused(model)


@pytest.fixture
def pictures():
    return np.random.default_rng(2).uniform(0, 255, (4, BATCH, SIDE, SIDE, 1)).astype(np.float32)


def _norms(model):
    return {layer.name: layer for layer in model.layers if layer.name.endswith("norm")}


def _tolerance(precision):
    return {"float32": 1e-4, "mixed_bfloat16": 0.05}[precision]  # bfloat16 has 8 bits


def test_the_copy_is_the_same_network_with_fused_norms(pair, precision):
    from edge_fer.train.fused import FusedBatchNormalization

    model, copy = pair
    assert {type(norm) for norm in _norms(copy).values()} == {FusedBatchNormalization}
    assert FusedBatchNormalization not in {type(norm) for norm in _norms(model).values()}
    assert [layer.name for layer in copy.layers] == [layer.name for layer in model.layers]
    assert [layer.compute_dtype for layer in copy.layers] == [
        layer.compute_dtype for layer in model.layers
    ]
    assert all(norm.momentum == 0.95 for norm in _norms(copy).values())


def test_weights_go_both_ways(pair):
    model, copy = pair
    assert [w.path for w in copy.weights] == [w.path for w in model.weights]
    assert [w.path for w in copy.trainable_weights] == [w.path for w in model.trainable_weights]
    for weight, wanted in zip(copy.get_weights(), model.get_weights(), strict=True):
        np.testing.assert_array_equal(weight, wanted)
    assert not set(map(id, copy.weights)) & set(map(id, model.weights))
    other = [w + 1 for w in copy.get_weights()]
    model.set_weights(other)
    for weight, wanted in zip(model.get_weights(), other, strict=True):
        np.testing.assert_array_equal(weight, wanted)


def test_inference_is_the_same(pair, pictures):
    model, copy = pair
    logits = np.asarray(model(pictures[0], training=False))
    np.testing.assert_array_equal(np.asarray(copy(pictures[0], training=False)), logits)
    assert np.ptp(logits) > 0.1


def test_training_gives_the_same_and_moves_the_averages_alike(pair, pictures, precision):
    model, copy = pair
    before = {name: [np.array(w) for w in norm.weights] for name, norm in _norms(copy).items()}
    for batch in pictures:
        logits = np.asarray(model(batch, training=True))
        close = {"rtol": 0, "atol": _tolerance(precision) * np.ptp(logits)}
        np.testing.assert_allclose(np.asarray(copy(batch, training=True)), logits, **close)
    # TensorFlow's variance is that of the population, estimated: n / (n - 1) times the batch's.
    pixels = BATCH * (SIDE // 2) ** 2
    for name, norm in _norms(model).items():
        fused = _norms(copy)[name]
        mean, variance = np.array(fused.moving_mean), np.array(fused.moving_variance)
        spread = np.sqrt(np.array(norm.moving_variance))
        off = np.abs(mean - np.array(norm.moving_mean)) / spread
        assert off.max() < _tolerance(precision) / 5
        np.testing.assert_allclose(
            variance, norm.moving_variance, rtol=1 / (pixels - 1) + _tolerance(precision) / 5
        )
        assert (mean != before[name][2]).all()
        assert (variance != before[name][3]).all()


def test_the_moving_averages_by_hand():
    from edge_fer.train.fused import FusedBatchNormalization

    layer = FusedBatchNormalization(momentum=0.75, epsilon=1e-3)
    inputs = np.random.default_rng(3).normal(5, 2, (4, 3, 3, 2)).astype(np.float32)
    layer.build(inputs.shape)
    layer.gamma.assign([2, 0.5])
    layer.beta.assign([1, -1])
    out = np.asarray(layer(inputs, training=True))
    mean, variance = inputs.mean((0, 1, 2)), inputs.var((0, 1, 2))
    wanted = (inputs - mean) / np.sqrt(variance + 1e-3) * [2, 0.5] + [1, -1]
    np.testing.assert_allclose(out, wanted, atol=1e-5)
    np.testing.assert_allclose(np.array(layer.moving_mean), 0.25 * mean, rtol=1e-5)
    unbiased = variance * 36 / 35
    np.testing.assert_allclose(np.array(layer.moving_variance), 0.75 + 0.25 * unbiased, rtol=1e-5)
    averages = np.array(layer.moving_mean)
    layer(inputs, training=False)  # looking moves nothing
    np.testing.assert_array_equal(np.array(layer.moving_mean), averages)


def test_training_steps_end_at_the_same_weights(pair, pictures, precision):
    import keras

    targets = np.eye(5, dtype=np.float32)[np.arange(BATCH) % 5]
    losses = []
    for model in pair:
        model.compile(
            keras.optimizers.SGD(0.01),
            keras.losses.CategoricalCrossentropy(from_logits=True),
            run_eagerly=True,
        )
        losses.append([float(model.train_on_batch(batch, targets)) for batch in pictures])
    close = _tolerance(precision)
    np.testing.assert_allclose(losses[1], losses[0], rtol=close)
    assert losses[0][0] != losses[0][-1]
    for one, other in zip(*(model.trainable_weights for model in pair), strict=True):
        np.testing.assert_allclose(np.array(other), np.array(one), rtol=close, atol=close / 4)
