"""Weights from one network to another."""

import numpy as np
import pytest
from toy_data import tiny_recipe

from edge_fer.errors import ModelError
from edge_fer.labels import FER_LABELS, FERPLUS_LABELS
from edge_fer.train.heads import Head

pytestmark = pytest.mark.train

FER = Head("fer2013", FER_LABELS, slice(0, 7), 1.0)
SEEN = Head("ferplus", FERPLUS_LABELS, slice(7, 15), 0.5)
SEEN_FIRST = Head("ferplus", FERPLUS_LABELS, slice(0, 8), 1.0)
FER_SECOND = Head("fer2013", FER_LABELS, slice(8, 15), 0.5)

RECIPE = tiny_recipe(
    input={"height": 8, "width": 8},
    network={"name": "residual", "options": {"stem": 2, "widths": [3], "blocks": [1]}},
)


def _network(classes, seed, recipe=RECIPE):
    """A network of random weights, biases and moving averages too."""
    from edge_fer.train.networks import build

    model = build(recipe.network.name, recipe.input, classes, recipe.network.options)
    rng = np.random.default_rng(seed)
    model.set_weights([rng.uniform(0.1, 1, w.shape).astype(np.float32) for w in model.weights])
    return model


def _saved(model, heads, path):
    from edge_fer.train.keras_file import save_model

    facts = {"heads": [[head.name, list(head.labels)] for head in heads]} if heads else {}
    save_model(model, facts, path)
    return path


def _same_trunk(model, other):
    for weight, wanted in zip(model.get_weights()[:-2], other.get_weights()[:-2], strict=True):
        np.testing.assert_array_equal(weight, wanted)


@pytest.mark.parametrize("head", [FER, SEEN, FER_SECOND], ids=["first", "last", "other order"])
def test_one_head_gives_the_columns_of_the_whole(head):
    from edge_fer.train.weights import one_head

    whole = _network(15, 1)
    single = one_head(whole, RECIPE, head)
    assert single.output_shape == (None, len(head.labels))
    pictures = np.random.default_rng(2).uniform(0, 255, (4, 8, 8, 1)).astype(np.float32)
    logits, wanted = np.asarray(single(pictures)), np.asarray(whole(pictures))[:, head.columns]
    np.testing.assert_allclose(logits, wanted, rtol=1e-5)
    assert np.ptp(wanted) > 0.1


def test_start_copies_heads_by_name_wherever_they_lie(tmp_path):
    from edge_fer.train.weights import start_from

    other, model = _network(15, 1), _network(15, 2)
    path = _saved(other, [FER, SEEN], tmp_path / "other.keras")
    start_from(model, [SEEN_FIRST, FER_SECOND], path)
    _same_trunk(model, other)
    for weight, theirs in zip(model.get_weights()[-2:], other.get_weights()[-2:], strict=True):
        np.testing.assert_array_equal(weight[..., :8], theirs[..., 7:])
        np.testing.assert_array_equal(weight[..., 8:], theirs[..., :7])


def test_a_head_that_the_other_does_not_know_keeps_its_own_weights(tmp_path):
    from edge_fer.train.weights import start_from

    other, model = _network(7, 1), _network(15, 2)
    before = model.get_weights()
    path = _saved(other, [FER], tmp_path / "other.keras")
    start_from(model, [SEEN_FIRST, FER_SECOND], path)
    _same_trunk(model, other)
    for weight, own, theirs in zip(
        model.get_weights()[-2:], before[-2:], other.get_weights()[-2:], strict=True
    ):
        np.testing.assert_array_equal(weight[..., :8], own[..., :8])
        np.testing.assert_array_equal(weight[..., 8:], theirs)


def test_a_head_of_other_classes_keeps_its_own_weights(tmp_path):
    from edge_fer.train.weights import start_from

    other, model = _network(7, 1), _network(7, 2)
    before = model.get_weights()
    turned = Head("fer2013", FER_LABELS[::-1], slice(0, 7), 1.0)
    start_from(model, [FER], _saved(other, [turned], tmp_path / "other.keras"))
    _same_trunk(model, other)
    for weight, own in zip(model.get_weights()[-2:], before[-2:], strict=True):
        np.testing.assert_array_equal(weight, own)


@pytest.mark.parametrize(
    "options",
    [
        {"stem": 2, "widths": [2], "blocks": [1]},
        {"stem": 1, "widths": [3], "blocks": [1]},
        {"stem": 2, "widths": [], "blocks": []},
    ],
    ids=["narrower", "narrower stem", "fewer stages"],
)
def test_a_smaller_network_is_refused_and_nothing_is_copied(tmp_path, options):
    from edge_fer.train.weights import start_from

    small = tiny_recipe(input={"height": 8, "width": 8},
                        network={"name": "residual", "options": options})  # fmt: skip
    path = _saved(_network(7, 1, small), [FER], tmp_path / "other.keras")
    model = _network(7, 2)
    before = model.get_weights()
    with pytest.raises(ModelError, match=r"other\.keras.*recipe"):
        start_from(model, [FER], path)
    for weight, own in zip(model.get_weights(), before, strict=True):
        np.testing.assert_array_equal(weight, own)


def test_start_takes_the_strongest_channels_of_a_larger_network(tmp_path):
    from edge_fer.train.weights import start_from

    wide = tiny_recipe(
        input={"height": 8, "width": 8},
        network={"name": "residual", "options": {"stem": 4, "widths": [5], "blocks": [2]}},
    )
    larger, model = _network(15, 1, wide), _network(15, 2)
    kept = [0, 1, 4]  # of the stage; what is added together stays together
    for name in ("stage1_block1_conv2_norm", "stage1_block1_shortcut_norm"):
        larger.get_layer(name).gamma.assign([3.0, 2.0, 0.1, -0.1, -2.5])
    larger.get_layer("stem_norm").gamma.assign([0.1, 1.0, 0.2, 1.0])
    start_from(model, [FER, SEEN], _saved(larger, [FER, SEEN], tmp_path / "larger.keras"))
    np.testing.assert_array_equal(
        model.get_layer("stem").kernel, np.asarray(larger.get_layer("stem").kernel)[..., [1, 3]]
    )
    np.testing.assert_array_equal(
        model.get_layer("stage1_block1_shortcut").kernel,
        np.asarray(larger.get_layer("stage1_block1_shortcut").kernel)[..., [1, 3], :][..., kept],
    )
    np.testing.assert_array_equal(
        model.get_layer("stage1_block1_shortcut_norm").beta,
        np.asarray(larger.get_layer("stage1_block1_shortcut_norm").beta)[kept],
    )
    kernel, bias = larger.get_layer("logits").get_weights()
    np.testing.assert_array_equal(model.get_layer("logits").kernel, kernel[kept])
    np.testing.assert_array_equal(model.get_layer("logits").bias, bias)


def test_channels_that_do_nothing_can_go_without_a_change():
    from edge_fer.train.prune import prune

    wide = tiny_recipe(
        input={"height": 8, "width": 8},
        network={"name": "residual", "options": {"stem": 4, "widths": [5], "blocks": [1]}},
    )
    larger, smaller = _network(7, 1, wide), _network(7, 2)
    for norm, dead in (("stem_norm", [1, 2]), ("stage1_block1_conv1_norm", [0, 3]),
                       ("stage1_block1_conv2_norm", [2, 4]),
                       ("stage1_block1_shortcut_norm", [2, 4])):  # fmt: skip
        for weight in (larger.get_layer(norm).gamma, larger.get_layer(norm).beta):
            values = np.array(weight)
            values[dead] = 0
            weight.assign(values)
    smaller.set_weights(prune(larger, smaller))
    pictures = np.random.default_rng(2).uniform(0, 255, (4, 8, 8, 1)).astype(np.float32)
    wanted = np.asarray(larger(pictures))
    np.testing.assert_allclose(np.asarray(smaller(pictures)), wanted, rtol=1e-4)
    assert np.ptp(wanted) > 0.1
