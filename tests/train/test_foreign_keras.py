"""Keras files of others: read whatever version wrote them, and refused where they are bait."""

import base64
import json
import marshal
import struct
import zipfile

import numpy as np
import pytest

from edge_fer.errors import ModelError

pytestmark = pytest.mark.train
keras = pytest.importorskip("keras")
h5py = pytest.importorskip("h5py")


def _network(k):
    """A network with what Keras 2 and 3 describe in different ways."""
    layers = k.layers
    inner_input = k.Input((20, 20, 4))
    inner = layers.SeparableConv2D(6, 3, use_bias=False)(inner_input)
    inner = k.Model(inner_input, layers.BatchNormalization()(inner))
    inputs = k.Input((22, 22, 1))
    x = layers.Conv2D(4, 3, use_bias=False)(inputs)
    x = layers.ReLU()(layers.BatchNormalization()(x))
    x = layers.DepthwiseConv2D(3)(inner(x))
    x = layers.GlobalAveragePooling2D()(layers.LeakyReLU(0.1)(x))
    model = k.Model(inputs, layers.Dense(7, activation="softmax")(x))
    rng = np.random.default_rng(0)
    model.set_weights([rng.uniform(0.1, 1, w.shape) for w in model.get_weights()])
    return model


def _answers(model):
    pixels = np.random.default_rng(1).uniform(0, 1, (3, 22, 22, 1)).astype(np.float32)
    return np.asarray(model.predict(pixels, verbose=0))


@pytest.fixture(scope="module")
def keras2(tmp_path_factory):
    """A network of Keras 2 in all its forms, and its answers."""
    tf_keras = pytest.importorskip("tf_keras")
    folder = tmp_path_factory.mktemp("keras2")
    model = _network(tf_keras)
    model.save(folder / "whole.h5")
    model.save(folder / "whole.hdf5")
    model.save(folder / "whole.keras")
    model.save(folder / "saved_model")
    model.save_weights(folder / "old.h5")
    model.save_weights(folder / "new.weights.h5")
    (folder / "model.json").write_text(model.to_json())
    return folder, _answers(model)


@pytest.mark.parametrize(
    ("name", "weights"),
    [
        ("whole.h5", None),
        ("whole.hdf5", None),
        ("whole.keras", None),
        ("saved_model", None),
        ("model.json", "old.h5"),
        ("model.json", "new.weights.h5"),
        ("model.json", "whole.h5"),
    ],
)
def test_what_keras_2_wrote_gives_what_it_gave(keras2, name, weights):
    from edge_fer.train.keras_file import load_model

    folder, wanted = keras2
    model, facts = load_model(folder / name, weights and folder / weights)
    np.testing.assert_allclose(_answers(model), wanted, atol=1e-5)
    assert np.ptp(wanted) > 0.01
    assert facts == {}


def test_json_and_weights_of_keras_3_give_what_it_gave(tmp_path):
    from edge_fer.train.keras_file import load_model

    model = _network(keras)
    model.save_weights(tmp_path / "m.weights.h5")
    (tmp_path / "m.json").write_text(model.to_json())
    read, _ = load_model(tmp_path / "m.json", tmp_path / "m.weights.h5")
    np.testing.assert_allclose(_answers(read), _answers(model), atol=1e-6)


def test_a_description_needs_its_weights_and_weights_a_description(keras2):
    from edge_fer.train.keras_file import load_model

    folder, _ = keras2
    with pytest.raises(ModelError, match="--weights"):
        load_model(folder / "model.json")
    with pytest.raises(ModelError, match="--architecture"):
        load_model(folder / "old.h5")


# Bait


def _lambda_config(trap):
    """A network with a layer whose code leaves a file where it is run."""
    made = {}
    exec(f"def bait(x):\n    open({str(trap)!r}, 'w').close()\n    return x", made)
    code = base64.b64encode(marshal.dumps(made["bait"].__code__)).decode()
    code = {"code": code, "defaults": None, "closure": None}
    bait = {"name": "bait", "function": {"class_name": "__lambda__", "config": code}}
    inputs = {"name": "x", "batch_input_shape": [None, 22, 22, 1], "dtype": "float32"}
    layers = [
        {"class_name": "InputLayer", "config": inputs},
        {"class_name": "Lambda", "config": bait},
        {"class_name": "Flatten", "config": {"name": "flat"}},
    ]
    return {"class_name": "Sequential", "config": {"name": "s", "layers": layers}}


def _h5(path, config):
    with h5py.File(path, "w") as file:
        file.attrs["model_config"] = json.dumps(config)
        file.create_group("model_weights").attrs["layer_names"] = []
    return path


def _keras_zip(path, config, **more):
    weights = path.with_suffix(".w.h5")
    h5py.File(weights, "w").close()
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("config.json", json.dumps(config))
        archive.writestr("metadata.json", json.dumps({"keras_version": "3.0.0"}))
        archive.writestr("model.weights.h5", weights.read_bytes())
        for name, content in more.items():
            archive.writestr(name, content)
    return path


@pytest.mark.parametrize("kind", ["h5", "keras", "json"])
def test_code_in_a_file_is_not_run(tmp_path, kind):
    from edge_fer.train.keras_file import load_model

    trap = tmp_path / "trap"
    config = _lambda_config(trap)
    weights = None
    if kind == "json":
        path, weights = tmp_path / "bait.json", _h5(tmp_path / "w.h5", config)
        path.write_text(json.dumps(config))
    else:
        make = _h5 if kind == "h5" else _keras_zip
        path = make(tmp_path / f"bait.{kind}", config)
    with pytest.raises(ModelError, match="carries code"):
        load_model(path, weights)
    assert not trap.exists()


def test_code_in_a_file_is_run_where_that_is_asked_for(tmp_path):
    from edge_fer.train.keras_file import load_model

    trap = tmp_path / "trap"
    load_model(_h5(tmp_path / "own.h5", _lambda_config(trap)), unsafe=True)
    assert trap.exists()


@pytest.mark.parametrize(
    "table",
    [
        {"module": "os", "class_name": "system", "config": "touch trap", "registered_name": None},
        {
            "module": "keras.src.utils",
            "class_name": "function",
            "config": "get_file",
            "registered_name": "function",
        },
    ],
)
def test_a_class_of_another_module_is_not_imported(tmp_path, table):
    from edge_fer.train.keras_file import load_model

    config = _lambda_config(tmp_path / "trap")
    config["config"]["layers"][1] = table
    with pytest.raises(ModelError, match="carries code"):
        load_model(_keras_zip(tmp_path / "bait.keras", config))


def test_an_archive_that_would_write_elsewhere_is_refused(tmp_path):
    from edge_fer.train.keras_file import load_model

    path = _keras_zip(tmp_path / "bait.keras", {}, **{"../../elsewhere": b"x"})
    with pytest.raises(ModelError, match="outside its folder"):
        load_model(path)
    assert not list(tmp_path.parent.rglob("elsewhere"))


def test_an_archive_that_would_fill_the_memory_is_refused(tmp_path):
    from edge_fer.train.keras_file import load_model

    path = _keras_zip(tmp_path / "bomb.keras", {}, assets=b"x" * 100)
    content = bytearray(path.read_bytes())
    entry = content.rfind(b"PK\x01\x02")  # of assets, the last member
    content[entry + 24 : entry + 28] = struct.pack("<I", (1 << 32) - 2)
    path.write_bytes(content)
    with pytest.raises(ModelError, match="unpacks to more"):
        load_model(path)


def test_weights_that_claim_more_than_a_machine_has_are_refused(tmp_path):
    from edge_fer.train.keras_file import load_model

    path = _h5(tmp_path / "vast.h5", {})
    with h5py.File(path, "a") as file:
        file.create_dataset("w", (1 << 20, 1 << 20), "f4", chunks=(64, 64))
    assert path.stat().st_size < 1 << 20
    with pytest.raises(ModelError, match="claims"):
        load_model(path)


def test_layers_that_no_weights_fill_are_refused(tmp_path):
    from edge_fer.train.keras_file import load_model

    config = _lambda_config(tmp_path)
    config["config"]["layers"][1:2] = [
        {"class_name": "Dense", "config": {"name": "d", "units": 1 << 30}}
    ]
    with pytest.raises(ModelError, match="no weights for them"):
        load_model(_h5(tmp_path / "vast.h5", config))


def test_an_input_of_millions_of_pixels_is_refused(tmp_path):
    from edge_fer.train.keras_file import load_model

    config = _lambda_config(tmp_path)
    del config["config"]["layers"][1]
    config["config"]["layers"][0]["config"]["batch_input_shape"] = [None, 1 << 20, 1 << 20, 1]
    with pytest.raises(ModelError, match="rows and columns at most"):
        load_model(_h5(tmp_path / "vast.h5", config))


@pytest.mark.parametrize("link", ["external", "soft"])
def test_weights_that_lie_in_another_file_are_refused(tmp_path, link):
    from edge_fer.train.keras_file import load_model

    path = _h5(tmp_path / "link.h5", {})
    with h5py.File(path, "a") as file:
        target = h5py.ExternalLink("/etc/hostname", "/") if link == "external" else None
        file["w"] = target or h5py.SoftLink("/elsewhere")
    with pytest.raises(ModelError, match="is a link"):
        load_model(path)


@pytest.mark.parametrize("share", [0, 0.1, 0.5, 0.95])
def test_a_file_cut_short_is_refused(tmp_path, share):
    from edge_fer.train.keras_file import load_model

    whole = tmp_path / "whole.h5"
    _network(keras).save(whole)
    cut = tmp_path / "cut.h5"
    cut.write_bytes(whole.read_bytes()[: int(share * whole.stat().st_size)])
    with pytest.raises(ModelError, match=r"cut\.h5") as caught:
        load_model(cut)
    assert "\n" not in str(caught.value)


# Out again, for older scripts


@pytest.mark.parametrize("recipe", ["plain", "vgg"])
@pytest.mark.parametrize("version", ["keras", "tf_keras"])
def test_what_is_exported_loads_in_both_versions(tmp_path, recipe, version):
    from edge_fer.train.legacy import export_legacy
    from edge_fer.train.networks import build_recipe
    from edge_fer.train.recipe import load_recipe

    model = build_recipe(load_recipe(recipe), 7)
    rng = np.random.default_rng(0)
    model.set_weights([rng.normal(0.1, 0.05, w.shape) ** 2 for w in model.get_weights()])
    architecture, weights = export_legacy(model, tmp_path)
    assert [architecture.name, weights.name] == ["model.json", "model.weights.h5"]
    read = pytest.importorskip(version).models.model_from_json(architecture.read_text())
    read.load_weights(str(weights))
    pixels = rng.uniform(0, 255, (2, 48, 48, 1)).astype(np.float32)
    wanted = np.asarray(model(pixels))
    np.testing.assert_allclose(np.asarray(read(pixels)), wanted, rtol=1e-4)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["model.json", "model.weights.h5"]
