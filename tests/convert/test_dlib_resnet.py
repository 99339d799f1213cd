"""dlib's file to Keras. The file itself is not shipped: one of the same shape stands for it."""

import numpy as np
import pytest

from edge_fer.errors import ModelError

pytest.importorskip("tensorflow")
from edge_fer.convert.dlib_resnet import _BLOCKS, load

pytestmark = pytest.mark.train

MEANS = np.array([122.782, 117.001, 104.298])


def _packed(number):
    length = (number.bit_length() + 7) // 8
    return bytes([length]) + number.to_bytes(length, "little")


def _tensor(numbers):
    sizes = (*numbers.shape, 1, 1, 1)[:4]
    head = b"".join(_packed(n) for n in (2, *sizes))
    return b"between\x01\x02\x01" + head + numbers.astype("<f4").tobytes()


@pytest.fixture(scope="module")
def tensors():
    """Filters and biases, scales and offsets of every convolution, and the last layer."""
    rng = np.random.default_rng(0)
    shapes, channels = [(32, 3, 7, 7)], 32
    for width, _ in _BLOCKS:
        shapes += [(width, channels, 3, 3), (width, width, 3, 3)]
        channels = width
    rows = []
    for shape in shapes:
        filters = rng.normal(size=shape) / np.sqrt(np.prod(shape[1:]))
        scale, offset = rng.uniform(0.5, 1.5, shape[0]), rng.normal(size=shape[0]) / 10
        rows.append((filters, rng.normal(size=shape[0]) / 10, scale, offset))
    return rows, rng.normal(size=(256, 128))


@pytest.fixture(scope="module")
def content(tensors):
    rows, last = tensors
    parts = []
    for filters, bias, scale, offset in rows:
        parts += [np.concatenate([filters.ravel(), bias]), np.concatenate([scale, offset])]
    return b"".join(_tensor(part) for part in (*parts, last)) + b"the end"


@pytest.fixture(scope="module")
def model(content, tmp_path_factory):
    path = tmp_path_factory.mktemp("dlib") / "network.dat"
    path.write_bytes(content)
    return load(path)


def test_it_is_29_convolutions_from_a_face_to_128_numbers(model, tensors):
    assert model.input_shape == (None, 150, 150, 3)
    assert model.output_shape == (None, 128)
    convolutions = [layer for layer in model.layers if "conv" in layer.name]
    assert len(convolutions) == 29 == len(tensors[0])
    assert np.allclose(model.layers[-1].get_weights()[0], tensors[1])


def test_what_dlib_does_to_pixels_is_folded_in(model, tensors):
    """Of a grey face all is known by hand after the first convolution."""
    import keras

    filters, bias, scale, offset = tensors[0][0]
    color = np.array([30.0, 200.0, 90.0])
    wanted = np.einsum("oihw,i->o", filters, (color - MEANS) / 256)
    wanted = np.maximum((wanted + bias) * scale + offset, 0)
    first = keras.Model(model.input, model.layers[1].output)
    pixels = np.broadcast_to(color, (1, 150, 150, 3)).astype(np.float32)
    assert np.allclose(first.predict(pixels, verbose=0)[0, 5, 5], wanted, atol=1e-4)


def test_the_blocks_shrink_as_dlib_s_do(model):
    sizes = [layer.output.shape[1] for layer in model.layers if layer.name.startswith("add")]
    assert sizes == [35] * 3 + [17] * 4 + [8] * 3 + [4] * 3 + [2]


def test_a_file_that_is_cut_short_is_refused(content, tmp_path):
    path = tmp_path / "network.dat"
    path.write_bytes(content[:-1000])
    with pytest.raises(ModelError, match="cut short"):
        load(path)
    with pytest.raises(ModelError, match="cannot be read"):
        load(tmp_path / "missing.dat")
