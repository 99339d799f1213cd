"""The results as tables of text, for a terminal and for Markdown."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from edge_fer.benchmarks.peers.compare import Result
from edge_fer.train.truths import FER2013, FERPLUS

NOTES = (
    "One thread on one core each; every round starts all in random order; medians. Decoding is"
    " never timed.",
    "A classifier is given the whole 48x48 picture by its documented call: fer's detect_emotions"
    " with face_rectangles (which rounds to two digits; of equals the first counts), edge-fer's"
    " Classifier.classify, face-api.js's recognizeFaceExpressions. By FER+: the majority of its"
    " taggers, seven classes.",
    "Faces are counted against the boxes that edge-fer's BlazeFace finds in every frame: a box"
    " tells a face where the centre of each lies in the other and neither is twice as wide as the"
    " other. Extra boxes tell none.",
    "fer is installed with setuptools<81 (it imports pkg_resources) and opencv-contrib-python<5"
    " (5 has no Haar cascades), imported from fer.fer (its README's import fails), and loses"
    " triton (with MTCNN its LLVM and TensorFlow's end the process); the size is that before."
    " Its Keras model runs by its own use_tflite=False.",
    "face-api.js: tiny face detector and expression net, WebAssembly, in Node.js. Sizes leave"
    " Python and Node.js themselves out. MediaPipe alone reads no emotions: it is the floor for"
    " all who use its detector. edge-fer also tracks and smooths; auto is --detect-every auto.",
    "edge-fer's models and fer's have learned from FER-2013's training split, face-api.js's has"
    " not.",
    "Start: from the process's start to the first result, on a portrait of 512x512, files in"
    " memory. Memory: resident after the videos, and at most.",
)
"""What one has to know to read the figures."""

_NAMED = (
    "edge-fer",
    "ai-edge-litert",
    "mediapipe",
    "fer",
    "tensorflow",
    "torch",
    "@vladmandic/face-api",
    "@tensorflow/tfjs",
    "node",
)
"""Packages whose versions decide."""


@dataclass(frozen=True)
class Table:
    """Rows of text under columns; all columns but the first ``words`` are figures."""

    title: str
    columns: tuple[str, ...]
    rows: Sequence[tuple[str, ...]]
    words: int = 1


def tables(results: Sequence[Result]) -> list[Table]:
    """The classifiers, the whole pipelines, and what failed: those that have rows."""
    every = [_classifiers(results), _pipelines(results), _failures(results)]
    return [table for table in every if table.rows]


def measured_on(results: Sequence[Result], machine: Mapping[str, object]) -> str:
    """A line about the machine, as ``describe_machine`` knows it, and the versions."""
    where = machine["board"] or machine["processor"]
    versions = {name: v for result in results for name, v in result.versions.items()}
    named = ", ".join(f"{name} {versions[name]}" for name in _NAMED if name in versions)
    return f"Measured on {where}, {machine['system']}, Python {machine['python']}: {named}."


def markdown(results: Sequence[Result], machine: Mapping[str, object]) -> str:
    """Tables and notes for a Markdown file."""
    parts = [measured_on(results, machine)]
    for table in tables(results):
        figures = len(table.columns) - table.words
        rule = ("---",) * table.words + ("---:",) * figures
        lines = [f"| {' | '.join(row)} |" for row in (table.columns, rule, *table.rows)]
        parts.append("\n".join([f"{table.title}:", "", *lines]))
    return "\n\n".join([*parts, "\n".join(f"- {note}" for note in NOTES)]) + "\n"


def _classifiers(results: Sequence[Result]) -> Table:
    rows: dict[str, tuple[str, ...]] = {}
    for result in results:
        if result.classifier and result.face_ms is not None and result.accuracy:
            shares = [_share(result, truth) for truth in (FER2013, FERPLUS)]
            rows.setdefault(
                result.classifier, (result.classifier, *shares, f"{result.face_ms:.2f}")
            )
    counts = next((r.accuracy for r in results if r.accuracy), {})
    n = ", ".join(f"n = {one.n}" for one in counts.values())
    columns = ("classifier", "PrivateTest %", "by FER+ %", "ms a face")
    return Table(f"Classifiers on FER-2013's PrivateTest ({n})", columns, list(rows.values()))


def _share(result: Result, truth: str) -> str:
    judged = result.accuracy.get(truth)
    return f"{100 * judged.accuracy:.2f}" if judged else ""


def _pipelines(results: Sequence[Result]) -> Table:
    measured = [result for result in results if result.clips]
    clips = measured[0].clips if measured else {}
    what = " and ".join(f"{name} ({one.faces} faces)" for name, one in clips.items())
    rows = [
        (
            r.name,
            ", ".join(f"{clip.fps:.0f}" for clip in r.clips.values()),
            ", ".join(str(clip.found) for clip in r.clips.values()),
            ", ".join(str(clip.extra) for clip in r.clips.values()),
            f"{r.import_ms:.0f}",
            f"{r.first_ms:.0f}",
            f"{r.memory_mib:.0f} ({r.peak_mib:.0f})",
            f"{r.megabytes:.0f}",
        )
        for r in measured
    ]
    columns = (
        "pipeline",
        "frames/s",
        "found",
        "extra",
        "import ms",
        "start ms",
        "memory MiB",
        "disk MB",
    )
    return Table(f"Whole pipelines on {what}", columns, rows)


def _failures(results: Sequence[Result]) -> Table:
    rows = [(r.name, r.failure) for r in results if r.failure]
    return Table("Not measured to the end", ("what", "why"), rows, words=2)
