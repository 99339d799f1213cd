"""How fast a model is and what it takes, measured in a fresh process of its own."""

from __future__ import annotations

import multiprocessing
import time
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from edge_fer.benchmarks import FRAME_SIZE
from edge_fer.errors import WorkError

if TYPE_CHECKING:
    from edge_fer.classifier import Classifier


@dataclass(frozen=True)
class Speed:
    """What one process measured of one model.

    Attributes:
        threads: Threads of the network.
        start_ms: Import, load and first inference.
        median_ms: Median time of one inference.
        p95_ms: 95th percentile.
        fps: Frames a second of the whole pipeline, one face in 640x480 pixels, BlazeFace on
            LiteRT, decoding and drawing left out.
        memory_mib: Resident memory of the process with detector and classifier loaded.
        runs: Number of inferences timed.
    """

    threads: int
    start_ms: float
    median_ms: float
    p95_ms: float
    fps: float
    memory_mib: float
    runs: int


def measure(model: Path, threads: int = 1, runs: int = 300) -> Speed:
    """Measure a model in a fresh process.

    Args:
        model: A ``.tflite`` file with a card.
        threads: Threads of the networks.
        runs: Number of inferences to time.

    Raises:
        ModelError: The model is broken.
        WorkError: The process died.
    """
    fresh = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(1, mp_context=fresh) as pool:
        try:
            return pool.submit(_measure_here, model, threads, runs).result()
        except BrokenProcessPool as e:
            raise WorkError(f"the process that measured {model} died") from e


def _measure_here(model: Path, threads: int, runs: int) -> Speed:
    start = time.perf_counter()
    from edge_fer.classifier import Classifier

    classifier = Classifier(model, threads)
    spec = classifier.card.input
    classifier.logits(np.zeros((1, spec.height, spec.width, spec.channels), np.uint8))
    started = time.perf_counter() - start

    times = latencies(classifier, runs)
    fps, memory = _pipeline_fps(classifier, threads, max(runs // 3, 1)), _resident_mib()
    return Speed(
        threads=threads,
        start_ms=round(1000 * started, 1),
        median_ms=round(float(np.median(times)), 4),
        p95_ms=round(float(np.quantile(times, 0.95)), 4),
        fps=round(fps, 1),
        memory_mib=round(memory, 1),
        runs=runs,
    )


def latencies(classifier: Classifier, runs: int) -> NDArray[np.float64]:
    """Milliseconds of each of so many inferences, one picture each, after warming up."""
    spec = classifier.card.input
    rng = np.random.default_rng(0)
    pictures = rng.integers(0, 256, (32, 1, spec.height, spec.width, spec.channels), np.uint8)
    for picture in pictures:
        classifier.logits(picture)
    times = np.empty(runs)
    for i in range(runs):
        before = time.perf_counter()
        classifier.logits(pictures[i % len(pictures)])
        times[i] = time.perf_counter() - before
    return 1000 * times


def _pipeline_fps(classifier: Classifier, threads: int, runs: int) -> float:
    import cv2

    from edge_fer.benchmarks import PICTURE
    from edge_fer.detector import open_detector
    from edge_fer.frame import Frame
    from edge_fer.pipeline import Pipeline

    width, height = FRAME_SIZE
    portrait = cv2.resize(cv2.imread(str(PICTURE)), (height, height), interpolation=cv2.INTER_AREA)
    edge = (width - height) // 2
    pixels = cv2.copyMakeBorder(portrait, 0, 0, edge, edge, cv2.BORDER_REPLICATE)
    frame = Frame(np.asarray(pixels, np.uint8), 0, 0.0)
    with open_detector("blazeface", threads=threads) as detector:
        pipeline = Pipeline(detector, classifier)
        for _ in range(5):
            assert len(pipeline.read(frame).faces) == 1
        times = np.empty(runs)
        for i in range(runs):
            before = time.perf_counter()
            pipeline.read(frame)
            times[i] = time.perf_counter() - before
    return 1 / float(np.median(times))


def _resident_mib() -> float:
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("VmRSS"):
            return int(line.split()[1]) / 1024
    return 0.0
