"""The network that tells people apart: from dlib's file to an int8 ``.tflite`` with a card.

    python -m edge_fer.convert.identity dlib_face_recognition_resnet_model_v1.dat PEOPLE OUT

``PEOPLE`` has a folder of pictures for each person. The first half of the people by name calibrates
the quantization and sets the threshold, the second half judges both.
"""

from __future__ import annotations

import importlib.util
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import click
import keras
import numpy as np
from numpy.typing import NDArray

from edge_fer.benchmarks.verification import (
    FAR,
    embed_all,
    find_people,
    halves,
    in_use,
    likenesses,
    threshold_at,
    verify,
)
from edge_fer.card import Card, CropRule, InputSpec, pack
from edge_fer.convert.dlib_resnet import SIDE, load
from edge_fer.convert.representative import as_inputs
from edge_fer.convert.tflite import check_full_integer, to_tflite, without_names
from edge_fer.crop import crop_face
from edge_fer.detector.blazeface import BlazeFace
from edge_fer.identity.litert import LiteRtEmbedder
from edge_fer.train.networks import macs

POINTS = ((0.3165, 0.313), (0.6835, 0.313), (0.5, 0.52), (0.5, 0.703))
"""Where the eyes, the nose's tip and the mouth lie in the square, as shares of its side.

These are the medians of where BlazeFace's points lie in dlib's own aligned squares (of 200 pictures
of the AT&T faces' first 20 people), made symmetric. Among two, three, four and six points, and
squares larger, smaller, higher and lower, this told those people apart best."""


def convert_identity(network: Path, people: Path, out: Path) -> Card:
    """Convert, calibrate, judge and write the network.

    Args:
        network: dlib's ``dlib_face_recognition_resnet_model_v1.dat``.
        people: A folder with a folder of pictures for each person.
        out: The ``.tflite`` file to write.

    Raises:
        ModelError: ``network`` is another file.
        DataError: There are too few people.
        StorageError: The file cannot be written.
    """
    model = load(network)
    rule, spec = CropRule(points=POINTS), InputSpec(SIDE, SIDE, 3, "rgb")
    with BlazeFace() as detector:
        seen, _ = find_people(people, detector)
    tuning, held_out = halves(seen)
    pictures = np.stack([crop_face(one.pixels, one.face, rule, spec) for one in tuning])
    exact = to_tflite(model, "float32")
    small = to_tflite(model, "int8", lambda: as_inputs(pictures))
    check_full_integer(small, str(out))
    card = Card(
        name=out.stem,
        labels=(),
        input=spec,
        crop=rule,
        version="1",
        licence="CC0-1.0 (Davis E. King, dlib)",
        data={
            "calibration and threshold": f"{len(tuning)} pictures, the first half of the people of"
            f" {people.name}",
            "metrics": f"{len(held_out)} pictures of the others",
        },
        quantization={
            "precision": "int8",
            "weights": "per channel, symmetric",
            "activations": "per tensor",
        },
        macs=macs(model),
    )
    with tempfile.TemporaryDirectory() as folder:
        embedders = {}
        for name, flatbuffer in (("float32", exact), ("int8", small)):
            path = Path(folder) / f"{name}.tflite"
            pack(flatbuffer, card, path)
            embedders[name] = LiteRtEmbedder(path)
    names, others = [one.person for one in tuning], [one.person for one in held_out]
    metrics: dict[str, Any] = {"far": FAR, "dlib_difference": _difference(model, network, pictures)}
    judged = {}
    for name, embedder in embedders.items():
        chosen_on, _ = embed_all(tuning, embedder)
        threshold = threshold_at(likenesses(chosen_on, names)[1])
        judged[name], _ = embed_all(held_out, embedder)
        metrics[name] = verify(judged[name], others, threshold).to_dict()
    everybody = np.concatenate([chosen_on, judged["int8"]])
    metrics["int8, in use"] = in_use(judged["int8"], others, threshold)
    metrics["int8, all pairs"] = verify(everybody, names + others, threshold).to_dict()
    agreement = (judged["float32"] * judged["int8"]).sum(1)
    metrics["agreement"] = [round(float(agreement.mean()), 5), round(float(agreement.min()), 5)]
    final = replace(card, threshold=threshold, metrics=metrics)
    return pack(without_names(small), final, out)


def _difference(model: keras.Model, network: Path, pictures: NDArray[np.uint8]) -> float | None:
    """The most that an embedding differs from dlib's own, where dlib is installed."""
    if importlib.util.find_spec("dlib") is None:
        return None
    import dlib

    theirs = dlib.face_recognition_model_v1(str(network))
    some = pictures[:: max(1, len(pictures) // 16)]
    wanted = [theirs.compute_face_descriptor(np.ascontiguousarray(one)) for one in some]
    return float(np.abs(model.predict(some.astype(np.float32), verbose=0) - wanted).max())


@click.command()
@click.argument("network", type=click.Path(path_type=Path))
@click.argument("people", type=click.Path(path_type=Path))
@click.argument("out", type=click.Path(path_type=Path))
def main(network: Path, people: Path, out: Path) -> None:
    """Convert dlib's NETWORK with the faces of PEOPLE to OUT."""
    click.echo(convert_identity(network, people, out).to_json(), err=True)


if __name__ == "__main__":
    main()
