"""Average poolings that become depthwise convolutions."""

import numpy as np
import pytest

pytestmark = pytest.mark.train


def _network(size, **options):
    import keras

    inputs = keras.Input((size, size, 3))
    x = keras.layers.Conv2D(4, 3, padding="same", name="conv")(inputs)
    x = keras.layers.AveragePooling2D(name="pool", **options)(x)
    x = keras.layers.GlobalAveragePooling2D()(x)
    return keras.Model(inputs, keras.layers.Dense(2)(x))


@pytest.mark.parametrize(
    ("size", "options"),
    [
        (8, {"pool_size": 2, "padding": "same"}),
        (9, {"pool_size": 3, "padding": "same"}),
        (9, {"pool_size": 2}),
        (9, {"pool_size": (2, 3), "strides": 1}),
    ],
)
def test_the_network_gives_the_same(size, options):
    import keras

    from edge_fer.convert.pooling import without_average_pooling

    model = _network(size, **options)
    made = without_average_pooling(model)
    pooling = made.get_layer("pool")
    assert isinstance(pooling, keras.layers.DepthwiseConv2D)
    assert isinstance(model.get_layer("pool"), keras.layers.AveragePooling2D)
    pictures = np.random.default_rng(0).uniform(0, 255, (2, size, size, 3)).astype(np.float32)
    wanted = np.asarray(model(pictures))
    np.testing.assert_allclose(np.asarray(made(pictures)), wanted, rtol=1e-4, atol=1e-3)
    assert np.ptp(wanted) > 1


@pytest.mark.parametrize(
    ("size", "options"),
    [
        (9, {"pool_size": 2, "padding": "same"}),
        (8, {"pool_size": 2, "strides": 1, "padding": "same"}),
    ],
)
def test_what_meets_padding_stays(size, options):
    from edge_fer.convert.pooling import without_average_pooling

    model = _network(size, **options)
    assert without_average_pooling(model) is model


def test_xnnpack_runs_all_of_a_residual_network():
    from edge_fer.benchmarks.graph import Graph
    from edge_fer.card import InputSpec
    from edge_fer.convert.pooling import without_average_pooling
    from edge_fer.convert.tflite import to_tflite
    from edge_fer.train.networks import build

    options = {"stem": 16, "widths": [16, 16], "blocks": [1, 1]}
    model = build("residual", InputSpec(height=16, width=16), 7, options)
    pictures = np.random.default_rng(0).uniform(0, 255, (8, 1, 16, 16, 1)).astype(np.float32)
    made = without_average_pooling(model)
    steps = Graph(to_tflite(made, "int8", lambda: ([p] for p in pictures))).steps
    assert all(step.delegated for step in steps)
    assert "DEPTHWISE_CONV_2D" in {step.name for step in steps}
