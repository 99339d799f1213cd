"""What a benchmark found, as dataclasses that are written and read as JSON.

The JSON is ``Benchmark`` field by field; ``schema`` counts up whenever a field changes its meaning.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from edge_fer.benchmarks.estimate import Estimate
from edge_fer.benchmarks.scene import Scene
from edge_fer.errors import InputError
from edge_fer.plain import from_plain
from edge_fer.train.truths import TRUTHS

SCHEMA = 1


@dataclass(frozen=True)
class Pipeline:
    """The live pipeline on one scene.

    Attributes:
        scene: What the frame shows.
        found: Number of faces that were read in it.
        frame_ms: Median milliseconds a frame.
        stages: Median milliseconds of each stage.
    """

    scene: Scene
    found: int
    frame_ms: Estimate
    stages: dict[str, float]

    @property
    def fps(self) -> Estimate:
        """Frames a second."""
        return self.frame_ms.inverse(1000)


@dataclass(frozen=True)
class Batch:
    """Several faces for the classifier.

    Attributes:
        faces: Number of faces.
        one_by_one_ms: Median milliseconds for all of them, one after the other.
        together_ms: The same in one invocation.
    """

    faces: int
    one_by_one_ms: Estimate
    together_ms: Estimate


@dataclass(frozen=True)
class Cell:
    """A model with a number of threads.

    Attributes:
        threads: Threads of the networks.
        n: Number of inferences timed.
        rounds: Number of processes that timed them.
        median_ms: Of one inference.
        p95_ms: 95th percentile.
        p99_ms: 99th percentile.
        gmacs: Billions of multiply-accumulate operations a second.
        of_peak: Its share of what a large int8 matrix product reaches with as many threads.
        start_ms: From the process's start to the first reading of a frame.
        memory_mib: Resident memory of the process then.
        pipelines: The live pipeline.
        batches: Several faces at once; empty where the model's batch cannot be changed.
    """

    threads: int
    n: int
    rounds: int
    median_ms: Estimate
    p95_ms: Estimate
    p99_ms: Estimate
    gmacs: Estimate
    of_peak: Estimate
    start_ms: Estimate
    memory_mib: Estimate
    pipelines: tuple[Pipeline, ...]
    batches: tuple[Batch, ...]

    def pipeline(self, scene: Scene) -> Pipeline | None:
        """The pipeline's figures on a scene."""
        return next((p for p in self.pipelines if p.scene == scene), None)


@dataclass(frozen=True)
class Score:
    """How right a model is on a split.

    Attributes:
        truth: ``"fer2013"`` or ``"ferplus"``.
        split: ``"public"`` or ``"private"``.
        n: Number of pictures.
        accuracy: Share that is named right.
        macro_f1: Mean F1 over the classes.
        ece: Expected calibration error.
        measured: Whether it was measured now, and not taken from the model's card.
    """

    truth: str
    split: str
    n: int
    accuracy: Estimate
    macro_f1: float
    ece: float
    measured: bool


@dataclass(frozen=True)
class Operator:
    """One step of a network.

    Attributes:
        name: Its kind, e.g. ``"CONV_2D"``.
        shape: Of what it gives.
        macs: Multiply-accumulate operations.
        ms: Milliseconds that it adds to an inference, in one thread; noise can make it negative.
        delegated: Whether XNNPACK runs it.
    """

    name: str
    shape: tuple[int, ...]
    macs: int
    ms: float
    delegated: bool


@dataclass(frozen=True)
class Model:
    """A model file and all that was measured of it.

    Attributes:
        name: What it is called here: the file's stem, or its path where stems are not unique.
        family: The card's name without the precision: files of one network share it.
        precision: ``"int8"``, ``"float32"`` …
        bytes: Size of the file.
        macs: Multiply-accumulate operations of one inference.
        sha256: Of its flatbuffer.
        steps: Number of operators.
        not_delegated: The kinds of those that XNNPACK does not run.
        cells: A number of threads each.
        scores: A truth each.
        agreement: Share of the pictures on which it says the same as the float32 file of the same
            network; None without data or such a file.
        operators: Where the time goes; empty unless asked for.
    """

    name: str
    family: str
    precision: str
    bytes: int
    macs: int
    sha256: str
    steps: int
    not_delegated: tuple[str, ...]
    cells: tuple[Cell, ...]
    scores: tuple[Score, ...] = ()
    agreement: float | None = None
    operators: tuple[Operator, ...] = ()

    @property
    def single(self) -> Cell:
        """The figures with the fewest threads."""
        return min(self.cells, key=lambda cell: cell.threads)

    def score(self, truth: str) -> Score | None:
        """How right it is by a truth."""
        return next((s for s in self.scores if s.truth == truth), None)


@dataclass(frozen=True)
class Method:
    """How it was measured.

    Attributes:
        rounds: Processes for each model and number of threads.
        runs: Times taken of everything in each of them, at most.
        seconds: Longest that was spent on any of them.
        seed: Of the random order.
        detector: What found the faces.
    """

    rounds: int
    runs: int
    seconds: float
    seed: int
    detector: str


@dataclass(frozen=True)
class Conditions:
    """How the machine was meanwhile.

    Attributes:
        temperatures: Degrees Celsius before each process and at the end; empty where unknown.
        throttled: What slowed a Raspberry Pi down, in words.
    """

    temperatures: tuple[float, ...] = ()
    throttled: tuple[str, ...] = ()


@dataclass(frozen=True)
class Peak:
    """What the processor could do.

    Attributes:
        threads: Threads of the matrix product.
        gmacs: Billions of multiply-accumulate operations a second.
    """

    threads: int
    gmacs: Estimate


@dataclass(frozen=True)
class Target:
    """The model for a frame rate.

    Attributes:
        fps: Frames a second that were asked for.
        reached: Whether it holds them, with time left for drawing and other programs; else it is
            the quickest.
        model: Its name.
        threads: Threads of the networks.
        detect_every: The detector runs every so many frames.
        frame_ms: Milliseconds a frame with two faces.
        truth: What the models were compared by.
        accuracy: By that truth on the public split, as its card says; 0 where it does not.
    """

    fps: float
    reached: bool
    model: str
    threads: int
    detect_every: int
    frame_ms: float
    truth: str
    accuracy: float


@dataclass(frozen=True)
class Benchmark:
    """A whole run.

    Attributes:
        schema: ``SCHEMA``.
        made: Local time at its start.
        machine: As ``describe_machine`` tells it.
        method: How it was measured.
        conditions: How the machine was meanwhile.
        models: Every model.
        peaks: What the processor could do, by number of threads.
        target: The model for a frame rate, where one was asked for.
    """

    schema: int
    made: str
    machine: dict[str, Any]
    method: Method
    conditions: Conditions
    models: tuple[Model, ...]
    peaks: tuple[Peak, ...]
    target: Target | None = None

    @property
    def truth(self) -> str:
        """The truth to compare by: what people see, unless more models are scored by the other."""
        counts = {truth: sum(m.score(truth) is not None for m in self.models) for truth in TRUTHS}
        return max(reversed(TRUTHS), key=lambda truth: counts[truth])

    def to_dict(self) -> dict[str, Any]:
        """As plain data."""
        return asdict(self)


def read_benchmark(path: Path) -> Benchmark:
    """Read what ``edge-fer benchmark --json`` has written.

    Raises:
        InputError: It is no such file, or one of another version of it.
    """
    try:
        raw = json.loads(path.read_text())
    except OSError as e:
        raise InputError(f"{path} cannot be read: {e.strerror}") from e
    except (ValueError, RecursionError) as e:
        raise InputError(f"{path} is not JSON; give what edge-fer benchmark --json wrote") from e
    found = raw.get("schema") if isinstance(raw, dict) else None
    if found != SCHEMA:
        raise InputError(
            f"{path} has the benchmark schema {found}, and not {SCHEMA}: measure again with this"
            " version of edge-fer benchmark"
        )
    return from_plain(Benchmark, raw, InputError, str(path))
