"""The model card: what a model takes, gives and is worth, carried inside its ``.tflite`` file.

A released model is one file: the TFLite flatbuffer with a ZIP archive appended that holds
``card.json`` and ``labels.txt``, the way TFLite Metadata packs associated files
(https://ai.google.dev/edge/litert/conversion/tensorflow/metadata). Interpreters ignore the tail;
``unzip -l MODEL.tflite`` lists it.
"""

from __future__ import annotations

import hashlib
import io
import json
import zipfile
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from edge_fer.errors import ModelError
from edge_fer.files import KERAS_MODELS, write_whole
from edge_fer.plain import from_plain

CARD_NAME, LABELS_NAME = "card.json", "labels.txt"


@dataclass(frozen=True)
class InputSpec:
    """What one picture must be when it enters the network.

    Attributes:
        height: Rows of the input tensor.
        width: Columns of the input tensor.
        channels: 1 or 3.
        color: ``"gray"``, ``"rgb"`` or ``"bgr"``; must agree with ``channels``.
        resize: ``"area"`` or ``"linear"``: how a larger picture is made smaller.
    """

    height: int = 48
    width: int = 48
    channels: int = 1
    color: str = "gray"
    resize: str = "area"

    def __post_init__(self) -> None:
        if self.height < 8 or self.width < 8:
            raise ModelError(f"input of {self.height}x{self.width} pixels is too small; 8 at least")
        if {"gray": 1, "rgb": 3, "bgr": 3}.get(self.color) != self.channels:
            raise ModelError(f"input color {self.color!r} does not have {self.channels} channels")
        if self.resize not in ("area", "linear"):
            raise ModelError(f"input resize {self.resize!r} is not 'area' or 'linear'")


@dataclass(frozen=True)
class CropRule:
    """Where the network's square lies about a detected face.

    All lengths are in units of the detector's box width, so the rule holds at any distance.

    Attributes:
        scale: Side of the square over the width of the box.
        shift: Move of the square's centre from the box's centre, along the face's own up
            direction: positive is towards the forehead.
        rotate: Whether the square is turned so that the line between the eyes is level.
        points: Where the first of the face's key points come to lie in the square, x and y as
            shares of its side. With them the box does not count, nor do ``scale``, ``shift`` and
            ``rotate``: the square is the one that brings the key points nearest to there.
    """

    scale: float = 1.2
    shift: float = 0.1
    rotate: bool = True
    points: tuple[tuple[float, ...], ...] = ()

    def __post_init__(self) -> None:
        if any(len(point) != 2 for point in self.points) or len(set(self.points)) == 1:
            raise ModelError("crop points need to be two to six pairs of x and y")
        if not 0.2 <= self.scale <= 5 or not -1 <= self.shift <= 1:
            raise ModelError(f"crop scale {self.scale} or shift {self.shift} is out of range")


@dataclass(frozen=True)
class Card:
    """All that a device must know of a model, and all that a reader wants to.

    Attributes:
        name: The model's name, e.g. ``"fer-base"``.
        labels: Class names in the order of the output tensor; none where it is an embedding.
        input: What the network takes.
        crop: How a face is cut out of a frame for it.
        temperature: Logits are divided by it before the softmax.
        threshold: A reading whose highest probability is below it is ``uncertain``; for an
            embedding, the likeness from which on two faces are taken for one person.
        coverage: Share of validation faces whose highest probability reaches ``threshold``.
        version: Version of the model.
        licence: Licence of the weights.
        recipe: The training recipe, whole, as it was used.
        seed: The seed of the training run.
        data: Data set by split: number of pictures, duplicates left out, fingerprint.
        calibration: Row numbers of the data set that calibrated the quantization.
        quantization: ``"int8"``, ``"float16"``, ``"dynamic"`` or ``"float32"``, and details.
        metrics: By split: accuracy, macro-F1, n and more; what the float network reached beside.
        macs: Multiply-accumulate operations of one inference.
        size: Bytes of the flatbuffer, without the appended archive.
        sha256: Hash of the flatbuffer, without the appended archive.
    """

    name: str
    labels: tuple[str, ...]
    input: InputSpec = field(default_factory=InputSpec)
    crop: CropRule = field(default_factory=CropRule)
    temperature: float = 1.0
    threshold: float = 0.0
    coverage: float = 1.0
    version: str = "0"
    licence: str = ""
    recipe: dict[str, Any] = field(default_factory=dict)
    seed: int = 0
    data: dict[str, Any] = field(default_factory=dict)
    calibration: tuple[int, ...] = ()
    quantization: dict[str, Any] = field(default_factory=dict)
    metrics: dict[str, Any] = field(default_factory=dict)
    macs: int = 0
    size: int = 0
    sha256: str = ""

    def __post_init__(self) -> None:
        if len(self.labels) == 1 or len(set(self.labels)) != len(self.labels):
            raise ModelError(
                f"the card of {self.name!r} needs two or more distinct labels, or none"
            )
        if not self.temperature > 0 or not 0 <= self.threshold <= 1:
            raise ModelError(f"the card of {self.name!r} has a bad temperature or threshold")

    def to_json(self) -> str:
        """The card as indented JSON text."""
        return json.dumps(asdict(self), indent=1)

    @classmethod
    def from_json(cls, text: str | bytes, where: str = "card") -> Card:
        """Read a card, refusing what it does not know.

        Args:
            text: JSON text.
            where: The file it came from, for the message.

        Raises:
            ModelError: It is no JSON object, lacks a field or has a value of the wrong kind.
        """
        try:
            raw = json.loads(text)
        except (ValueError, RecursionError) as e:
            raise ModelError(f"{where}: the card is not JSON ({type(e).__name__})") from e
        return from_plain(cls, raw, ModelError, f"{where}, card")


def pack(model: bytes, card: Card, path: Path) -> Card:
    """Write a flatbuffer and its card as one file, whole or not at all.

    Args:
        model: The TFLite flatbuffer.
        card: Its card; ``size`` and ``sha256`` are filled in.
        path: The file to write.

    Returns:
        The card as it was written.

    Raises:
        StorageError: The file cannot be written.
    """
    card = replace(card, size=len(model), sha256=hashlib.sha256(model).hexdigest())
    content = io.BytesIO(model)
    with zipfile.ZipFile(content, "a", zipfile.ZIP_DEFLATED) as z:
        # A fixed date keeps the file the same byte for byte when nothing in it has changed.
        for name, text in ((CARD_NAME, card.to_json()), (LABELS_NAME, "\n".join(card.labels))):
            z.writestr(zipfile.ZipInfo(name, (1980, 1, 1, 0, 0, 0)), text, zipfile.ZIP_DEFLATED)
    with write_whole(path) as part:
        part.write_bytes(content.getvalue())
    return card


def unpack(path: Path) -> tuple[bytes, Card]:
    """Read a model file and check that its flatbuffer is the one its card speaks of.

    Args:
        path: A ``.tflite`` file with a card inside.

    Returns:
        The flatbuffer alone, and its card.

    Raises:
        ModelError: The file does not exist, is not a TFLite file, is cut short, has no card, or
            its card names another flatbuffer.
    """
    try:
        content = path.read_bytes()
    except OSError as e:
        raise ModelError(f"{path}: the model cannot be read ({e.strerror})") from e
    if path.suffix in KERAS_MODELS:
        raise ModelError(f"{path} is a Keras model; edge-fer convert makes the .tflite of it")
    if content[4:8] != b"TFL3":
        raise ModelError(f"{path} is not a TFLite model; give a .tflite file made by edge-fer")
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as z:
            text = z.read(CARD_NAME)
            start = min(info.header_offset for info in z.infolist())
    except Exception as e:  # zipfile raises many kinds of errors on a damaged archive
        raise ModelError(
            f"{path} has no card inside (cut short, or not made by edge-fer convert);"
            " convert the Keras model with edge-fer convert"
        ) from e
    card = Card.from_json(text, str(path))
    model = content[:start]
    if card.sha256 and hashlib.sha256(model).hexdigest() != card.sha256:
        raise ModelError(
            f"{path}: the model is not the one its card was written for; fetch it again"
        )
    return model, card
