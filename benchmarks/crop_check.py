"""Does the crop on the device match the framing of the training pictures?

FER-2013's faces are framed in their own way. Here they are pasted, enlarged, into larger frames;
the detector finds them there; and what it finds is compared with where the picture was. From that
come the crop rule's constants, and the proof that the whole pipeline is as right as the classifier
alone.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from edge_fer.benchmarks import FRAME_SIZE
from edge_fer.card import CropRule
from edge_fer.classifier import Classifier
from edge_fer.crop import square_of
from edge_fer.detector import Detector
from edge_fer.errors import WorkError
from edge_fer.face import Face
from edge_fer.train.dataset import Dataset
from edge_fer.train.truths import true_labels, truth_of


@dataclass(frozen=True)
class CropCheck:
    """What the check found.

    Attributes:
        n: Number of pictures.
        side: Pixels of the pasted picture's side.
        found: Share of the faces that the detector found.
        direct: Accuracy on the found faces when their pictures are classified directly.
        end_to_end: Accuracy on the same faces through detector and crop.
        direct_all: Accuracy on all pictures, classified directly.
        scale: Median of the picture's side over the box's width: the rule's ``scale``.
        scale_spread: Standard deviation of its logarithm.
        shift: Median of the way from the box's centre up to the picture's, in box widths: the
            rule's ``shift``.
        shift_spread: Standard deviations of that way, sideways and upwards.
        roll_spread: Standard deviation of the line between the eyes, in degrees.
    """

    n: int
    side: int
    found: float
    direct: float
    end_to_end: float
    direct_all: float
    scale: float
    scale_spread: float
    shift: float
    shift_spread: tuple[float, float]
    roll_spread: float


def check_crop(
    classifier: Classifier,
    detector: Detector,
    part: Dataset,
    side: int = 200,
    tilt: float = 0.0,
) -> CropCheck:
    """Run the check.

    Args:
        classifier: The model, its crop rule in its card.
        detector: What finds faces.
        part: Pictures with labels, and votes where the model names what FER+'s taggers see; the
            public split, say.
        side: Pixels of the pasted picture's side.
        tilt: Degrees by which the frames are turned, to the left and to the right in turns.

    Raises:
        ModelError: The data has a class that the model does not know.
        WorkError: No face was found at all.
    """
    frame_width, frame_height = FRAME_SIZE
    corner = ((frame_width - side) // 2, (frame_height - side) // 2)
    center = (corner[0] + side / 2, corner[1] + side / 2)
    columns = classifier.card.labels
    labels = true_labels(truth_of(classifier.card.recipe), columns, part)
    part, labels = part.take(labels >= 0), labels[labels >= 0]
    direct = classifier.logits(part.prepared(classifier.card.input)).argmax(1) == labels
    found = np.zeros(len(part), bool)
    right = np.zeros(len(part), bool)
    geometry = []
    for i, picture in enumerate(part.pixels):
        frame = _turn(paste(picture, side, corner), center, -tilt if i % 2 else tilt)
        faces = detector.detect(frame)
        face = _face_at(faces, center, side)
        if face is None:
            continue
        found[i] = True
        (named,) = classifier.classify(frame, [face])
        right[i] = named.emotion == columns[labels[i]]
        geometry.append(_geometry(face, center, side))
    if not geometry:
        raise WorkError(f"no face was found in {len(part)} pictures: are they faces?")
    scale, sideways, upwards, roll = np.array(geometry).T
    return CropCheck(
        n=len(part),
        side=side,
        found=float(found.mean()),
        direct=float(direct[found].mean()),
        end_to_end=float(right[found].mean()),
        direct_all=float(direct.mean()),
        scale=float(np.median(scale)),
        scale_spread=float(np.log(scale).std()),
        shift=float(np.median(upwards)),
        shift_spread=(float(sideways.std()), float(upwards.std())),
        roll_spread=float(np.degrees(roll).std()),
    )


def paste(picture: NDArray[np.uint8], side: int, corner: tuple[int, int]) -> NDArray[np.uint8]:
    """A blue-green-red frame with a grey picture enlarged in it, on a blurred copy of itself.

    Args:
        picture: Grey pixels [H, W].
        side: Pixels of its side in the frame.
        corner: Where its top left corner lies.
    """
    large = cv2.resize(picture, (side, side), interpolation=cv2.INTER_CUBIC)
    background = cv2.resize(cv2.blur(picture, (15, 15)), FRAME_SIZE, interpolation=cv2.INTER_LINEAR)
    background[corner[1] : corner[1] + side, corner[0] : corner[0] + side] = large
    return np.asarray(cv2.cvtColor(background, cv2.COLOR_GRAY2BGR), np.uint8)


def _turn(
    frame: NDArray[np.uint8], center: tuple[float, float], degrees: float
) -> NDArray[np.uint8]:
    if not degrees:
        return frame
    turn = cv2.getRotationMatrix2D(center, degrees, 1)
    turned = cv2.warpAffine(frame, turn, FRAME_SIZE, borderMode=cv2.BORDER_REPLICATE)
    return np.asarray(turned, np.uint8)


def _face_at(faces: list[Face], center: tuple[float, float], side: int) -> Face | None:
    """The surest face whose box has its centre in the middle half of the picture."""
    for face in faces:
        x, y, width, height = face.box
        far = max(abs(x + width / 2 - center[0]), abs(y + height / 2 - center[1]))
        if far < side / 4:
            return face
    return None


def _geometry(face: Face, center: tuple[float, float], side: int) -> tuple[float, ...]:
    """Side over box width, way to the picture's centre sideways and up, and the face's angle.

    The way is in the face's own frame and in box widths.
    """
    (x, y), width, angle = square_of(face, CropRule(scale=1, shift=0, rotate=True))
    right, down = (center[0] - x) / width, (center[1] - y) / width
    sideways = math.cos(angle) * right + math.sin(angle) * down
    upwards = math.sin(angle) * right - math.cos(angle) * down
    return side / width, sideways, upwards, angle
