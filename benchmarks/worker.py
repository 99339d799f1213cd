"""One process of a benchmark: what it is told to measure, and what it measured.

``python -m edge_fer.benchmarks.worker JOB`` prints a ``Sample`` as JSON; ``JOB`` is a job as JSON.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from edge_fer.benchmarks.scene import Scene
from edge_fer.errors import WorkError
from edge_fer.plain import from_plain


@dataclass(frozen=True)
class Job:
    """What one process measures.

    Attributes:
        model: A ``.tflite`` file with a card.
        threads: Threads of the networks.
        detector: What finds the faces.
        runs: Times to take of everything.
        seconds: Fewer are taken where they would need longer.
        scenes: What the pipeline is timed on.
        batches: Numbers of pictures that are given to the classifier at once.
        seed: For the order of the scenes.
        born: Monotonic nanoseconds at which the process was started.
    """

    model: str
    threads: int = 1
    detector: str = "blazeface"
    runs: int = 50
    seconds: float = 1.0
    scenes: tuple[Scene, ...] = ()
    batches: tuple[int, ...] = ()
    seed: int = 0
    born: int = 0


@dataclass(frozen=True)
class SceneTimes:
    """The pipeline on one scene.

    Attributes:
        scene: What the frame shows.
        found: Number of faces that were read in it.
        frame: Milliseconds a frame.
        stages: Median milliseconds of each stage.
    """

    scene: Scene
    found: int
    frame: tuple[float, ...]
    stages: dict[str, float]


@dataclass(frozen=True)
class BatchTimes:
    """Several pictures for the classifier.

    Attributes:
        faces: Number of pictures.
        one_by_one: Milliseconds for all of them, one after the other.
        together: Milliseconds in one invocation.
    """

    faces: int
    one_by_one: tuple[float, ...]
    together: tuple[float, ...]


@dataclass(frozen=True)
class Sample:
    """What one process measured; all times in milliseconds.

    Attributes:
        start: From the process's start to the first reading of a frame.
        memory_mib: Resident memory after it.
        latencies: Of each inference.
        peak: Of each matrix product that tells what the processor could do.
        scenes: The pipeline's times.
        batches: The classifier's with several pictures.
    """

    start: float
    memory_mib: float
    latencies: tuple[float, ...]
    peak: tuple[float, ...]
    scenes: tuple[SceneTimes, ...]
    batches: tuple[BatchTimes, ...]


def measure(job: Job) -> Sample:
    """Measure in a fresh process.

    Raises:
        WorkError: The process failed.
    """
    born = replace(job, born=time.monotonic_ns())
    # -P: nothing is imported from the current folder.
    done = subprocess.run(
        [sys.executable, "-P", "-m", __name__, json.dumps(asdict(born))],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        last = (done.stderr.strip().splitlines() or [f"exit code {done.returncode}"])[-1]
        raise WorkError(f"the process that measured {job.model} failed: {last}")
    return from_plain(Sample, json.loads(done.stdout), WorkError, "what a process measured")


def _measure_here(job: Job) -> Sample:
    # What a live run needs, and no more: their import is part of the start.
    from edge_fer.benchmarks.scene import draw
    from edge_fer.benchmarks.stages import WatchedClassifier, WatchedDetector, frame_times
    from edge_fer.detector import open_detector
    from edge_fer.frame import Frame
    from edge_fer.pipeline import Pipeline

    classifier = WatchedClassifier(Path(job.model), job.threads)
    with WatchedDetector(open_detector(job.detector, threads=job.threads)) as detector:
        Pipeline(detector, classifier).read(Frame(draw(Scene()), 0, 0.0))
        start = (time.monotonic_ns() - job.born) / 1e6
        memory = _resident_mib()

        import numpy as np

        from edge_fer.benchmarks.peak import peak_times
        from edge_fer.benchmarks.speed import batch_times, latencies
        from edge_fer.card import unpack

        single = latencies(classifier, job.runs, job.seconds)
        peak = peak_times(job.threads, job.runs, job.seconds)
        scenes = []
        for place in np.random.default_rng(job.seed).permutation(len(job.scenes)):
            scene = job.scenes[place]
            times, stages, found = frame_times(scene, detector, classifier, job.runs, job.seconds)
            scenes.append(SceneTimes(scene, found, tuple(times), stages))
    flatbuffer, _ = unpack(Path(job.model))
    batches = []
    for faces in job.batches:
        both = batch_times(flatbuffer, job.threads, faces, job.runs, job.seconds)
        if both is not None:
            batches.append(BatchTimes(faces, *map(tuple, both)))
    return Sample(start, memory, tuple(single), tuple(peak), tuple(scenes), tuple(batches))


def _resident_mib() -> float:
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 2**20


if __name__ == "__main__":
    told = from_plain(Job, json.loads(sys.argv[1]), WorkError, "the job")
    sys.stdout.write(json.dumps(asdict(_measure_here(told))))
