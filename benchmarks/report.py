"""A benchmark as one page that can be sent to somebody: no other file, nothing from the network."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from html import escape
from pathlib import Path

from edge_fer.benchmarks import charts
from edge_fer.benchmarks.results import Benchmark, Model, Operator
from edge_fer.benchmarks.scene import TYPICAL, Scene
from edge_fer.benchmarks.stages import STAGES
from edge_fer.train.truths import WORDS

_STYLE = Path(__file__).with_name("report.css")


def page(benchmark: Benchmark) -> str:
    """The page as HTML."""
    machine = benchmark.machine
    where = escape(str(machine["board"] or machine["processor"]))
    sections = "\n".join(
        f"<section{' class=wide' if wide else ''}><h2>{escape(title)}</h2>{body}</section>"
        for title, body, wide in _sections(benchmark)
    )
    return f"""<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>edge-fer benchmark: {where}</title>
<style>
{_STYLE.read_text("utf-8")}</style>
<h1>Reading emotions on {where}</h1>
<p class="quiet">{escape(benchmark.made[:16].replace("T", " "))} · {machine["cores"]} cores ·
{escape(_rounds(benchmark))}</p>
{_warnings(benchmark)}{_target(benchmark)}
<main>
{sections}
</main>
<footer>Made by edge-fer benchmark. The models name the expression that people would see in a face,
not what a person feels.</footer>
</html>
"""


def warnings(benchmark: Benchmark) -> list[str]:
    """What makes the figures doubtful, in words."""
    conditions, words = benchmark.conditions, []
    load = float(benchmark.machine["load"])
    if load > 0.5 * int(benchmark.machine["cores"]):
        words.append(
            f"The machine was busy (load {load:g} before the start): the times are those"
            " of a busy machine"
        )
    if conditions.throttled:
        words.append(f"The board slowed itself down: {', '.join(conditions.throttled)}")
    for model in benchmark.models:
        if model.not_delegated:
            kinds = ", ".join(sorted(set(model.not_delegated)))
            words.append(f"{model.name}: XNNPACK does not run {kinds}; LiteRT's slower kernels do")
        if any(p.found != p.scene.faces for c in model.cells for p in c.pipelines):
            words.append(f"{model.name}: the detector did not find every face of every scene")
    return words


def _warnings(benchmark: Benchmark) -> str:
    return "".join(f'<p class="warn">{escape(words)}.</p>' for words in warnings(benchmark))


def target_words(benchmark: Benchmark) -> str:
    """What ``--target-fps`` has chosen, in a sentence; empty where it was not asked for."""
    target = benchmark.target
    if target is None:
        return ""
    settings = f"--threads {target.threads} --detect-every {target.detect_every}"
    worth = f", {target.accuracy:.2%} by {WORDS[target.truth]}" if target.accuracy else ""
    cost = f"{target.frame_ms:.1f} of {1000 / target.fps:.1f} ms a frame with two faces"
    if target.reached:
        return f"{target.fps:g} FPS: --model {target.model} {settings} ({cost}{worth})"
    return (
        f"{target.fps:g} FPS are not reached with time left for the rest; the quickest is --model"
        f" {target.model} {settings} ({cost}{worth})"
    )


def _target(benchmark: Benchmark) -> str:
    return f"<p><strong>{escape(target_words(benchmark))}</strong></p>" if benchmark.target else ""


def _sections(benchmark: Benchmark) -> Iterator[tuple[str, str, bool]]:
    """Titles, bodies, and whether they take the page's whole width."""
    models = benchmark.models
    yield "At a glance", _glance(benchmark), True
    if any(model.score(benchmark.truth) for model in models):
        yield "Accuracy against latency", _accuracy(benchmark), False
    yield "Where a frame's time goes", _stages(benchmark), False
    if any(model.precision != other.precision for model, other in _relatives(models)):
        yield "Float against quantized", _precisions(benchmark), False
    yield "How much of the processor is used", _peak(benchmark), False
    if any(len(model.cells) > 1 for model in models):
        yield "More threads", _threads(benchmark), False
    if any(model.single.batches for model in models):
        yield "Several faces at once", _batches(benchmark), False
    yield "Frames a second", _pipelines(benchmark), True
    if any(model.operators for model in models):
        yield "Step by step", _operators(benchmark), True
    yield "The machine", _machine(benchmark), False
    yield "The method", _method(benchmark), False
    yield "All figures of the classifiers", _figures(benchmark), True


def _glance(benchmark: Benchmark) -> str:
    rows = []
    for model in benchmark.models:
        cell, score = model.single, model.score(benchmark.truth)
        typical = cell.pipeline(TYPICAL[0])
        rows.append(
            (
                model.name,
                model.precision,
                f"{score.accuracy.value:.2%}" if score else "",
                f"{cell.median_ms.value:.2f}",
                f"{typical.fps.value:.0f}" if typical else "",
                f"{cell.start_ms.value:.0f}",
                f"{cell.memory_mib.value:.0f}",
                f"{model.bytes / 1000:.0f}",
                f"{model.macs / 1e6:.1f}",
            )
        )
    head = ("model", "precision", "accuracy", "ms", "FPS", "start, ms", "MiB", "kB", "MMAC")
    return (
        f"<p>In one thread. Accuracy by {WORDS[benchmark.truth]}; milliseconds an inference;"
        f" frames a second of the whole pipeline, {TYPICAL[0].words}.</p>"
        + charts.table(head, rows, words=2)
    )


def _accuracy(benchmark: Benchmark) -> str:
    points, sources = [], set()
    for model in benchmark.models:
        score, median = model.score(benchmark.truth), model.single.median_ms
        if score is not None:
            sources.add(
                f"{score.split}, n = {score.n}, {'measured' if score.measured else 'by the cards'}"
            )
            low, high = (100 * end for end in (score.accuracy.low, score.accuracy.high))
            value = 100 * score.accuracy.value
            tip = f"{model.name}: {value:.2f} % ({low:.2f} to {high:.2f}), {median.value:.3f} ms"
            points.append(charts.Point(median.value, value, low, high, model.name, tip))
    return (
        f"<p>By {WORDS[benchmark.truth]} ({'; '.join(sorted(sources))}). Nothing is better"
        " and quicker than the models on the dashed line. Whiskers: 95 % intervals.</p>"
        + charts.scatter(points, "ms an inference, one thread", "%", "Accuracy against latency")
    )


def _stages(benchmark: Benchmark) -> str:
    groups = []
    for scene in (Scene(), Scene(faces=5), TYPICAL[1]):
        found = [(model.name, model.single.pipeline(scene)) for model in benchmark.models]
        rows = [
            (
                name,
                [(stage, one.stages[stage]) for stage in STAGES],
                f"{one.frame_ms.value:.2f} ms, {one.fps.value:.0f} FPS",
            )
            for name, one in found
            if one
        ]
        if rows:
            groups.append(f"<h3>{scene.words}</h3>{charts.bars(rows)}")
    return (
        "<p>In one thread. Between detections faces are followed, which counts as tracking;"
        " smoothing counts as cropping. Reading and drawing frames are left out.</p>"
        + charts.legend(STAGES)
        + "".join(groups)
    )


def _relatives(models: tuple[Model, ...]) -> list[tuple[Model, Model]]:
    """Pairs of files of one network."""
    families = defaultdict(list)
    for model in models:
        families[model.family].append(model)
    return [(a, b) for some in families.values() for a in some for b in some if a is not b]


def _precisions(benchmark: Benchmark) -> str:
    related = {model.name for pair in _relatives(benchmark.models) for model in pair}
    chosen = [model for model in benchmark.models if model.name in related]
    times = [
        (m.name, [("", m.single.median_ms.value)], f"{m.single.median_ms.value:.3f} ms")
        for m in chosen
    ]
    rows = []
    for model in chosen:
        score = model.score(benchmark.truth)
        accuracy = f"{score.accuracy.value:.2%}" if score else ""
        agreement = "" if model.agreement is None else f"{model.agreement:.2%}"
        rows.append((model.name, f"{model.bytes / 1000:.0f}", accuracy, agreement))
    return (
        "<p>The same network in each precision: milliseconds an inference in one thread.</p>"
        + charts.bars(times)
        + charts.table(("model", "kB", "accuracy", "agrees with float32"), rows)
    )


def _peak(benchmark: Benchmark) -> str:
    peaks = ", ".join(
        f"{peak.gmacs.value:.0f} GMAC/s with {peak.threads} thread{'s' if peak.threads > 1 else ''}"
        for peak in benchmark.peaks
    )
    rows = [
        (
            model.name,
            [("", cell.of_peak.value)],
            f"{cell.of_peak.value:.0%}, {cell.gmacs.value:.0f} GMAC/s",
        )
        for model in benchmark.models
        for cell in [model.single]
    ]
    # A bar of its own gives the others their scale.
    rows.append(("matrix product", [("", 1.0)], "100 %"))
    return (
        "<p>A large int8 matrix product (a 1x1 convolution, 512 by 512 channels) through the same"
        f" LiteRT, in the same processes, reaches {peaks}. What part of that the networks reach in"
        " one thread:</p>" + charts.bars(rows)
    )


def _threads(benchmark: Benchmark) -> str:
    series = [
        (m.name, [(c.threads, m.single.median_ms.value / c.median_ms.value) for c in m.cells])
        for m in benchmark.models
    ]
    return "<p>How much quicker an inference gets.</p>" + charts.curves(
        series, "threads", "times as fast", "Speed by number of threads"
    )


def _batches(benchmark: Benchmark) -> str:
    rows = [
        (
            model.name,
            str(cell.threads),
            str(batch.faces),
            batch.one_by_one_ms.text(2),
            batch.together_ms.text(2),
            f"{batch.one_by_one_ms.value / batch.together_ms.value:.2f}",
        )
        for model in benchmark.models
        for cell in model.cells
        for batch in cell.batches
    ]
    head = ("model", "threads", "faces", "one by one, ms", "together, ms", "gain")
    return (
        "<p>The classifier with the faces of a frame one after the other, as edge-fer does it,"
        " and with all of them in one invocation.</p>" + charts.table(head, rows)
    )


def _pipelines(benchmark: Benchmark) -> str:
    scenes = list(
        dict.fromkeys(p.scene for m in benchmark.models for c in m.cells for p in c.pipelines)
    )
    rows = []
    for scene in scenes:
        for threads in (peak.threads for peak in benchmark.peaks):
            cells = [c for m in benchmark.models for c in m.cells if c.threads == threads]
            found = [cell.pipeline(scene) for cell in cells]
            rows.append(
                (scene.words, str(threads), *(f"{p.fps.value:.0f}" if p else "" for p in found))
            )
    head = ("frame", "threads", *(model.name for model in benchmark.models))
    return (
        f"<p>Detector ({escape(benchmark.method.detector)}), tracker, crop, classifier and"
        " smoothing; reading and drawing frames are left out.</p>" + charts.table(head, rows)
    )


def _operators(benchmark: Benchmark) -> str:
    steps = "".join(
        f"<details><summary>{escape(model.name)}: {len(model.operators)} steps</summary>"
        + charts.bars([_step(place, step) for place, step in enumerate(model.operators, 1)])
        + "</details>"
        for model in benchmark.models
        if model.operators
    )
    return (
        "<p>What each step adds to an inference in one thread: the network is cut after each step,"
        f" and the pieces are timed in turns; noise can make a step negative.</p>{steps}"
    )


def _step(place: int, step: Operator) -> charts.Bar:
    name = f"{place}. {step.name.lower()} {'x'.join(map(str, step.shape))}"
    words = f"{1000 * step.ms:.0f} µs"
    if step.macs and step.ms > 0:
        words += f", {step.macs / step.ms / 1e6:.0f} GMAC/s"
    return name, [("", step.ms)], words if step.delegated else f"{words}, not XNNPACK"


def _machine(benchmark: Benchmark) -> str:
    machine, conditions = benchmark.machine, benchmark.conditions
    facts = {key.replace("_", " "): value for key, value in machine.items() if key != "versions"}
    facts |= {name: found for name, found in machine["versions"].items() if found}
    if conditions.temperatures:
        first, hottest = conditions.temperatures[0], max(conditions.temperatures)
        facts["temperature"] = f"{first:g} °C at the start, {hottest:g} °C at most"
    facts["throttled"] = ", ".join(conditions.throttled) or "nothing seen"
    rows = "".join(
        f"<dt>{escape(name)}</dt><dd>{escape(str(value))}</dd>"
        for name, value in facts.items()
        if value is not None
    )
    return f"<dl>{rows}</dl>"


def _rounds(benchmark: Benchmark) -> str:
    return f"{benchmark.method.rounds} rounds in random order"


def _method(benchmark: Benchmark) -> str:
    method = benchmark.method
    return (
        f"<p>{_rounds(benchmark)} (seed {method.seed}): in each, every model with every number of"
        f" threads has a fresh process, which takes {method.runs} times of everything after warming"
        f" up, or as many as fit into {method.seconds:g} s. Intervals are 95 % bootstrap intervals:"
        " processes are drawn, then times within them. Start: from the process's start to the first"
        " reading of a frame; memory: resident then. Accuracy's intervals are Wilson's.</p>"
        "<p>Times are of LiteRT's interpreter with XNNPACK. The frames show the same portrait as"
        " often as there are faces.</p>"
    )


def _figures(benchmark: Benchmark) -> str:
    rows = [
        (
            model.name,
            str(cell.threads),
            str(cell.n),
            *(one.text() for one in (cell.median_ms, cell.p95_ms, cell.p99_ms)),
            f"{cell.gmacs.value:.1f}",
            f"{cell.of_peak.value:.0%}",
            cell.start_ms.text(0),
            cell.memory_mib.text(1),
        )
        for model in benchmark.models
        for cell in model.cells
    ]
    times = ("median ms", "p95 ms", "p99 ms")
    head = ("model", "threads", "n", *times, "GMAC/s", "% of peak", "start ms", "MiB")
    scores = [
        (
            model.name,
            WORDS[score.truth],
            score.split,
            "measured" if score.measured else "card",
            str(score.n),
            f"{score.accuracy.value:.2%} ({score.accuracy.low:.2%} to {score.accuracy.high:.2%})",
            f"{score.macro_f1:.3f}",
            f"{score.ece:.1%}",
        )
        for model in benchmark.models
        for score in model.scores
    ]
    score_head = ("model", "by", "split", "from", "n", "accuracy", "macro-F1", "ECE")
    files = [
        (model.name, model.precision, str(model.bytes), str(model.steps), model.sha256)
        for model in benchmark.models
    ]
    return (
        charts.table(head, rows)
        + (charts.table(score_head, scores, words=4) if scores else "")
        + charts.table(("model", "precision", "bytes", "operators", "sha256"), files, words=2)
    )
