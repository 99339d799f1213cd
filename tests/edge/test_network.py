"""The network on LiteRT."""

import numpy as np
import pytest
from ai_edge_litert.interpreter import Interpreter

from edge_fer import network as networks
from edge_fer.card import unpack
from edge_fer.errors import InputError, ModelError
from edge_fer.models import BLAZEFACE, DEFAULT_MODEL, find_model
from edge_fer.network import Network


@pytest.fixture(scope="module")
def flatbuffer():
    return unpack(find_model(DEFAULT_MODEL))[0]


@pytest.fixture(scope="module")
def pictures():
    """Four pictures that hold every pixel value."""
    noise = np.random.default_rng(7).integers(0, 256, (3, 48, 48, 1), np.uint8)
    ramp = np.arange(48 * 48, dtype=np.int64).astype(np.uint8).reshape(1, 48, 48, 1)
    return np.concatenate([noise, ramp])


def _by_hand(flatbuffer, pictures):
    """Logits with the pixels quantized the plain way."""
    interpreter = Interpreter(model_content=flatbuffer)
    interpreter.allocate_tensors()
    source, result = interpreter.get_input_details()[0], interpreter.get_output_details()[0]
    scale, zero = source["quantization"]
    rows = []
    for picture in pictures:
        if source["dtype"] == np.int8:
            values = np.round(picture / scale + zero).astype(np.int8)
        else:
            values = picture.astype(np.float32)
        interpreter.set_tensor(source["index"], values[None])
        interpreter.invoke()
        row = interpreter.get_tensor(result["index"])[0].astype(np.float32)
        if result["dtype"] == np.int8:
            row = (row - result["quantization"][1]) * result["quantization"][0]
        rows.append(row)
    return np.array(rows)


def test_logits_are_those_of_the_plain_way(flatbuffer, pictures):
    network = Network(flatbuffer, "model")
    logits = network.logits(pictures)
    assert logits.shape == (4, network.classes)
    assert logits.dtype == np.float32
    assert np.allclose(logits, _by_hand(flatbuffer, pictures), atol=1e-5)


def test_pictures_are_not_changed(flatbuffer, pictures):
    before = pictures.copy()
    Network(flatbuffer, "model").logits(pictures)
    assert np.array_equal(pictures, before)


def test_pictures_do_not_influence_each_other(flatbuffer, pictures):
    network = Network(flatbuffer, "model")
    together = network.logits(pictures)
    alone = [network.logits(pictures[n : n + 1])[0] for n in (3, 1, 2, 0)]
    assert np.array_equal(together[[3, 1, 2, 0]], alone)


def test_no_pictures_give_no_logits(flatbuffer):
    network = Network(flatbuffer, "model")
    assert network.logits(np.empty((0, 48, 48, 1), np.uint8)).shape == (0, network.classes)


def test_more_threads_give_the_same(flatbuffer, pictures):
    one, two = Network(flatbuffer, "model", 1), Network(flatbuffer, "model", 2)
    assert np.allclose(one.logits(pictures), two.logits(pictures), atol=1e-5)


def test_shape_and_classes_are_read_from_the_model(flatbuffer):
    network = Network(flatbuffer, "model")
    assert network.input_shape == (48, 48, 1)
    assert network.classes == len(unpack(find_model(DEFAULT_MODEL))[1].labels)


@pytest.mark.parametrize("share", [0, 0.001, 0.5, 0.9999])
def test_a_cut_flatbuffer_is_refused(flatbuffer, share):
    with pytest.raises(ModelError, match="cut-model"):
        Network(flatbuffer[: int(share * len(flatbuffer))], "cut-model")


def test_what_is_no_flatbuffer_is_refused():
    with pytest.raises(ModelError, match="noise"):
        Network(bytes(5000), "noise")


def test_a_network_of_another_kind_is_refused():
    with pytest.raises(ModelError, match="2 outputs"):
        Network(BLAZEFACE.read_bytes(), "blazeface")


@pytest.mark.parametrize("threads", [0, -1])
def test_no_threads_are_refused(flatbuffer, threads):
    with pytest.raises(InputError, match="threads"):
        Network(flatbuffer, "model", threads)


class FakeInterpreter:
    """An interpreter of a network that sums the pixels of its picture."""

    def __init__(self, dtype=np.float32, shape=(1, 8, 8, 1), quantization=(0.0, 0), out=None):
        self._input = {"index": 0, "dtype": dtype, "shape": shape, "quantization": quantization}
        out_dtype, out_quantization = out or (np.float32, (0.0, 0))
        self._output = {
            "index": 1,
            "dtype": out_dtype,
            "shape": (1, 2),
            "quantization": out_quantization,
        }
        self.given = None

    def get_input_details(self):
        return [self._input]

    def get_output_details(self):
        return [self._output]

    def set_tensor(self, index, value):
        assert index == 0
        assert value.dtype == self._input["dtype"]
        assert value.shape == tuple(self._input["shape"])
        self.given = value.copy()

    def invoke(self):
        pass

    def get_tensor(self, index):
        assert index == 1
        return np.array([[1, -3]], self._output["dtype"])


@pytest.fixture
def fake(monkeypatch):
    """Makes the network run on a fake interpreter."""

    def use(*arguments, **options):
        interpreter = FakeInterpreter(*arguments, **options)
        monkeypatch.setattr(networks, "open_interpreter", lambda *_: interpreter)
        return interpreter

    return use


def test_a_float_network_takes_pixels_as_they_are(fake):
    interpreter = fake(np.float32)
    picture = np.arange(64, dtype=np.uint8).reshape(1, 8, 8, 1) * 4
    assert Network(b"", "float").logits(picture).tolist() == [[1, -3]]
    assert np.array_equal(interpreter.given, picture)


def test_an_int8_network_takes_pixels_less_128(fake):
    interpreter = fake(np.int8, (1, 16, 16, 1), (1.0, -128), out=(np.int8, (0.5, 3)))
    picture = np.arange(256).astype(np.uint8).reshape(1, 16, 16, 1)
    assert Network(b"", "int8").logits(picture).tolist() == [[-1, -3]]
    assert np.array_equal(interpreter.given.ravel(), np.arange(256) - 128)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"dtype": np.uint8}, "int8 or float32"),
        ({"dtype": np.int8, "quantization": (1 / 255, -128)}, "scale 1"),
        ({"dtype": np.int8, "quantization": (1.0, 0)}, "scale 1"),
        ({"shape": (1, 64)}, "one picture"),
    ],
)
def test_networks_that_cannot_be_fed_are_refused(fake, options, message):
    fake(**options)
    with pytest.raises(ModelError, match=message):
        Network(b"", "odd")
