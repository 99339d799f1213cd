"""A network on LiteRT: prepared pixels in, a row of numbers out."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from edge_fer.errors import ModelError
from edge_fer.interpreter import open_interpreter

_FLIP = np.uint8(0x80)


class Network:
    """A TFLite network of pictures, float or full-integer.

    Its numbers are a classifier's logits, or a face's embedding.

    Args:
        flatbuffer: The TFLite model.
        where: The file it came from, for messages.
        threads: Threads of the network.

    Attributes:
        input_shape: Height, width, channels.
        classes: How many numbers it gives.

    Raises:
        ModelError: It is broken, or is no such network.
    """

    def __init__(self, flatbuffer: bytes, where: str, threads: int = 1) -> None:
        self._interpreter = open_interpreter(flatbuffer, where, threads)
        inputs = self._interpreter.get_input_details()
        outputs = self._interpreter.get_output_details()
        if len(inputs) != 1 or len(outputs) != 1:
            raise ModelError(
                f"{where} has {len(inputs)} inputs and {len(outputs)} outputs, not one each"
            )
        (source,), (result,) = inputs, outputs
        if len(source["shape"]) != 4 or len(result["shape"]) != 2:
            raise ModelError(f"{where} does not take one picture and give one row of numbers")
        kinds = (np.int8, np.float32)
        if source["dtype"] not in kinds or result["dtype"] not in kinds:
            raise ModelError(f"{where}: input and output must be int8 or float32")
        self._int8 = source["dtype"] == np.int8
        if self._int8 and tuple(source["quantization"]) != (1.0, -128):
            raise ModelError(
                f"{where}: the int8 input must have scale 1 and zero point -128 (pixels 0..255),"
                f" not {source['quantization']}; convert the model with edge-fer convert"
            )
        self._input, self._output = source["index"], result["index"]
        scale, zero = result["quantization"] if result["dtype"] == np.int8 else (1, 0)
        self._scale, self._zero = np.float32(scale), np.float32(zero)
        self.input_shape: tuple[int, ...] = tuple(int(x) for x in source["shape"][1:])
        self.classes = int(result["shape"][1])

    def logits(self, pictures: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Logits [N, classes] of prepared pictures.

        Args:
            pictures: Pixels [N, H, W, C], 0..255, as ``crop.prepare`` makes them.
        """
        out = np.empty((len(pictures), self.classes), np.float32)
        for row, picture in zip(out, pictures, strict=True):
            # pixel - 128 as a signed byte is the pixel with its top bit flipped
            pixels = (picture ^ _FLIP).view(np.int8) if self._int8 else picture.astype(np.float32)
            self._interpreter.set_tensor(self._input, pixels[None])
            self._interpreter.invoke()
            raw = self._interpreter.get_tensor(self._output)[0]
            row[:] = (raw.astype(np.float32) - self._zero) * self._scale
        return out
