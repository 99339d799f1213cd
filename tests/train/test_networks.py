"""The networks: shapes, kinds, and how much work they are."""

import numpy as np
import pytest

from edge_fer.card import InputSpec
from edge_fer.errors import RecipeError

pytestmark = pytest.mark.train

RESIDUAL = ("residual", {"stem": 2, "widths": [3], "blocks": [1]})
VGG = ("vgg", {"widths": [2], "dense": 3})


def _build(name, options, spec=InputSpec(8, 8), classes=7):  # noqa: B008
    from edge_fer.train.networks import build

    return build(name, spec, classes, options)


@pytest.fixture(params=["float32", "mixed_bfloat16"])
def precision(request):
    import keras

    keras.config.set_dtype_policy(request.param)
    yield request.param
    keras.config.set_dtype_policy("float32")


@pytest.mark.parametrize(("name", "options"), [RESIDUAL, VGG], ids=["residual", "vgg"])
def test_output_is_a_row_of_float32_logits(name, options, precision):
    spec = InputSpec(16, 24, 3, "rgb")
    model = _build(name, options, spec, classes=5)
    assert model.input_shape == (None, 16, 24, 3)
    assert model.output_shape == (None, 5)
    pictures = np.random.default_rng(0).integers(0, 256, (2, 16, 24, 3)).astype(np.float32)
    logits = np.asarray(model(pictures))
    assert logits.shape == (2, 5)
    assert logits.dtype == np.float32
    assert np.isfinite(logits).all()
    assert abs(logits.sum(1) - 1).max() > 1e-3  # no softmax at the end
    assert all(weight.dtype == "float32" for weight in model.weights)


@pytest.mark.parametrize("name", ["resnet", "", "Residual"])
def test_unknown_network_is_refused_with_the_names_there_are(name):
    with pytest.raises(RecipeError, match="residual, vgg"):
        _build(name, {})


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("residual", {"depth": 3}),
        ("vgg", {"stem": 3}),
        ("residual", {"widths": 64}),
        ("residual", {"widths": [4, 8], "blocks": [1]}),
        ("residual", {"stem": 0}),
        ("residual", {"stem": "wide"}),
        ("residual", {"dropout": 1.5}),
        ("vgg", {"dense": -1}),
        ("vgg", {"widths": [2, 2, 2, 2]}),
    ],
    ids=str,
)
def test_options_that_cannot_be_are_refused(name, options):
    with pytest.raises(RecipeError, match=name):
        _build(name, options)


def test_work_of_the_residual_network_by_hand():
    from edge_fer.train.networks import macs

    stem = 8 * 8 * (3 * 3 * 1) * 2
    block = 4 * 4 * (3 * 3 * 2) * 3 + 4 * 4 * (3 * 3 * 3) * 3 + 4 * 4 * 2 * 3
    assert macs(_build(*RESIDUAL)) == stem + block + 3 * 7


def test_work_of_vgg_by_hand():
    from edge_fer.train.networks import macs

    convolutions = 8 * 8 * (3 * 3 * 1) * 2 + 8 * 8 * (3 * 3 * 2) * 2
    assert macs(_build(*VGG)) == convolutions + (4 * 4 * 2) * 3 + 3 * 7


def test_work_of_other_convolutions_by_hand():
    import keras

    from edge_fer.train.networks import macs

    inputs = keras.Input((8, 8, 4))
    x = keras.layers.DepthwiseConv2D(3, padding="same", depth_multiplier=2)(inputs)
    x = keras.layers.Conv2D(6, 3, groups=2)(x)
    x = keras.layers.GlobalAveragePooling2D()(x)
    depthwise, grouped = 8 * 8 * 9 * 8, 6 * 6 * (9 * 4) * 6
    assert macs(keras.Model(inputs, x)) == depthwise + grouped


def test_work_of_separable_convolutions_by_hand():
    import keras

    from edge_fer.train.networks import macs

    inputs = keras.Input((8, 8, 4))
    x = keras.layers.SeparableConv2D(6, 3, padding="same")(inputs)
    assert macs(keras.Model(inputs, x)) == 8 * 8 * 9 * 4 + 8 * 8 * 4 * 6


def test_work_of_a_network_inside_a_network_counts():
    import keras

    from edge_fer.train.networks import macs

    inner = _build(*RESIDUAL)
    inputs = keras.Input((8, 8, 1))
    assert macs(keras.Model(inputs, inner(inputs))) == macs(inner)
