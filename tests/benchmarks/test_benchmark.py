"""Measuring models: that every figure is there and hangs together; never how fast they are."""

import json
import shutil
import time
from dataclasses import replace

import pytest
from toy_data import toy_dataset, toy_votes, write_csv, write_votes

from edge_fer.benchmarks import measure as measuring
from edge_fer.benchmarks.accuracy import card_scores, evaluate, with_scores
from edge_fer.benchmarks.estimate import exactly
from edge_fer.benchmarks.machine import describe_machine
from edge_fer.benchmarks.measure import QUICK, Plan, measure
from edge_fer.benchmarks.results import read_benchmark
from edge_fer.benchmarks.scene import TYPICAL, Scene
from edge_fer.benchmarks.speed import batch_times, timed
from edge_fer.benchmarks.worker import BatchTimes, Job, Sample, SceneTimes
from edge_fer.benchmarks.worker import measure as run_job
from edge_fer.card import pack, unpack
from edge_fer.commands.benchmark import _files
from edge_fer.commands.benchmark_models import show_changes
from edge_fer.errors import InputError, ModelError, WorkError
from edge_fer.models import find_model

FEW = ("--rounds", 2, "--runs", 10, "--threads", 1, "--size", "320x240", "--faces", 1)


def test_a_process_measures_what_it_is_told():
    scenes = (Scene(320, 240), TYPICAL[1])
    job = Job(str(find_model("fer-base")), runs=6, scenes=scenes, batches=(2,))
    sample = run_job(job)
    assert len(sample.latencies) == len(sample.peak) == 6
    assert {(s.scene, s.found) for s in sample.scenes} == {(s, s.faces) for s in scenes}
    (batch,) = sample.batches
    assert batch.faces == 2
    assert len(batch.together) == len(batch.one_by_one) == 6
    # A process that was just started has not lived for long, nor for no time.
    assert 10 < sample.start < 600_000
    assert 20 < sample.memory_mib < 1000


def test_a_process_that_fails_is_told(tmp_path):
    with pytest.raises(WorkError, match=r"gone\.tflite"):
        run_job(Job(str(tmp_path / "gone.tflite")))


def test_a_broken_model_is_named_before_anything_is_measured(tmp_path):
    file = tmp_path / "broken.tflite"
    file.write_bytes(find_model("fer-base").read_bytes()[:5000])
    with pytest.raises(ModelError, match=r"broken\.tflite"):
        measure({"broken": file}, Plan())


@pytest.fixture
def jobs(monkeypatch):
    """The jobs that would be measured; each is as slow as it has threads."""
    seen = []

    def run(job):
        seen.append(job)
        ms = float(job.threads)
        scenes = tuple(SceneTimes(s, s.faces, (ms,), {"detect": ms}) for s in job.scenes)
        batches = tuple(BatchTimes(n, (n * ms,), (ms,)) for n in job.batches)
        return Sample(ms, 90.0, (ms, ms), (ms,), scenes, batches)

    monkeypatch.setattr(measuring, "measure_job", run)
    return seen


def test_every_round_has_every_cell_once_in_an_order_of_its_own(jobs):
    model = find_model("fer-base")
    benchmark = measure({"a": model, "b": model}, Plan(threads=(1, 2, 4), rounds=6, faces=(1, 3)))
    cells = [(job.threads, job.seed) for job in jobs]
    orders = [tuple(t for t, _ in cells[i : i + 6]) for i in range(0, 36, 6)]
    assert all(sorted(order) == [1, 1, 2, 2, 4, 4] for order in orders)
    assert len(set(orders)) > 1
    assert [m.name for m in benchmark.models] == ["a", "b"]
    for model_result in benchmark.models:
        for cell in model_result.cells:
            assert cell.median_ms == exactly(cell.threads)
            assert (cell.n, cell.rounds) == (12, 6)
            assert cell.pipeline(Scene(1920, 1080, 3)).frame_ms == exactly(cell.threads)
            assert all(cell.pipeline(scene) for scene in TYPICAL)


def test_the_seed_chooses_the_order(jobs):
    files = {str(n): find_model("fer-base") for n in range(4)}
    runs = []
    for seed in (1, 1, 2):
        measure(files, Plan(rounds=2, seed=seed))
        runs.append([replace(job, born=0) for job in jobs])
        jobs.clear()
    assert runs[0] == runs[1] != runs[2]


def test_no_round_begins_that_would_end_after_the_budget(jobs, monkeypatch):
    clock = iter(range(0, 10**6, 10))
    monkeypatch.setattr(time, "monotonic", lambda: next(clock))
    benchmark = measure({"a": find_model("fer-base")}, replace(QUICK, rounds=50))
    assert 2 <= benchmark.method.rounds < 6


def test_times_are_taken_until_there_are_enough_or_it_is_late():
    calls = []
    assert len(timed(lambda: calls.append(1), 30)) == 30
    assert len(calls) > 30
    assert len(timed(lambda: calls.append(1), 30, seconds=0)) == 5


def test_faces_together_and_one_by_one():
    flatbuffer, _ = unpack(find_model("fer-base"))
    one_by_one, together = batch_times(flatbuffer, 1, 3, 6)
    assert len(one_by_one) == len(together) == 6


def test_the_machine_is_described():
    machine = describe_machine()
    assert machine["processor"]
    assert machine["cores"] >= 1
    assert machine["versions"]["ai-edge-litert"]


def test_scores_and_agreement(benchmark_of, model_of, tmp_path):
    toy = toy_dataset(training=0, public=3, private=0)
    flatbuffer, card = unpack(find_model("fer-base"))
    turned = replace(card, temperature=card.temperature * 2)
    pack(flatbuffer, turned, tmp_path / "exact.tflite")
    files = {"int8": find_model("fer-base"), "exact": tmp_path / "exact.tflite"}
    models = (model_of("int8", 1.0), model_of("exact", 3.0, precision="float32"))
    coarse, exact = with_scores(models, files, toy, "public")
    (score,) = coarse.scores
    expected = evaluate(files["int8"], toy)["fer2013"].scores
    assert score.measured
    assert (score.n, score.accuracy.value) == (21, pytest.approx(expected.accuracy))
    assert score.ece == pytest.approx(expected.ece, abs=1e-5)
    # The same network in two files, of which one calls itself float32.
    assert (coarse.agreement, exact.agreement) == (1.0, None)


def test_what_a_card_tells():
    _, card = unpack(find_model("fer-base"))
    told = {score.truth: score for score in card_scores(card)}
    facts = card.metrics["fer2013"]["public"]
    assert told["fer2013"].accuracy.value == pytest.approx(facts["accuracy"], abs=1e-4)
    assert not told["fer2013"].measured
    assert card_scores(replace(card, metrics={})) == ()


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Two models."""
    folder = tmp_path_factory.mktemp("models")
    for name in ("one", "two"):
        shutil.copy(find_model("fer-base"), folder / f"{name}.tflite")
    return folder


def test_a_folder_is_its_models(folder):
    assert [file.name for file in _files((str(folder),))] == ["one.tflite", "two.tflite"]
    assert _files(("fer-base", str(find_model("fer-base")))) == [find_model("fer-base")]


def test_the_command_writes_all_it_can(cli, folder, tmp_path):
    pytest.importorskip("matplotlib", reason="plots need matplotlib")
    toy = toy_dataset(training=1, public=2, private=1)
    data = write_csv(tmp_path / "toy.csv", toy)
    votes = write_votes(tmp_path / "fer2013new.csv", toy_votes(toy))
    page, plot = tmp_path / "new" / "page.html", tmp_path / "plot.png"
    done = cli(
        *("benchmark", folder / "one.tflite", *FEW, "--data", data, "--votes", votes, "--ops"),
        *("--target-fps", 0.01, "--json", "-", "--report", page, "--plot", plot),
    )
    assert done.returncode == 0, done.stderr
    written = tmp_path / "written.json"
    written.write_text(done.stdout)
    benchmark = read_benchmark(written)
    assert json.loads(done.stdout) == benchmark.to_dict() | json.loads(
        json.dumps(benchmark.to_dict())
    )
    (model,) = benchmark.models
    _, card = unpack(find_model("fer-base"))
    assert (model.name, model.macs, model.sha256) == ("one", card.macs, card.sha256)
    assert model.not_delegated == ()
    assert {(s.truth, s.n > 0) for s in model.scores} == {("fer2013", True), ("ferplus", True)}
    assert len(model.operators) == model.steps
    (cell,) = model.cells
    assert cell.median_ms.value <= cell.p95_ms.value <= cell.p99_ms.value
    assert cell.n == 20
    scenes = [(p.scene, p.found) for p in cell.pipelines]
    assert scenes == [(s, s.faces) for s in (Scene(320, 240), *TYPICAL)]
    assert cell.of_peak.value > 0
    assert benchmark.target.reached
    assert benchmark.target.threads == benchmark.target.detect_every == 1
    assert "one" in page.read_text()
    assert plot.read_bytes().startswith(b"\x89PNG")
    assert "--detect-every 1" in done.stderr


def test_a_regression_ends_the_command_with_1(cli, folder, benchmark_of, model_of, tmp_path):
    old, new = tmp_path / "old.json", tmp_path / "new.json"
    # A microsecond an inference: no machine is so quick.
    old.write_text(json.dumps(benchmark_of((model_of("one", 1e-3),)).to_dict()))
    done = cli("benchmark", folder / "one.tflite", *FEW, "--compare", old, "--json", new)
    assert done.returncode == 1, done.stderr
    assert "REGRESSION" in done.stderr
    assert read_benchmark(new).models[0].name == "one"


def test_what_changed_is_told(benchmark_of, model_of, capsys):
    before, after = (benchmark_of((model_of("one", ms),)) for ms in (1.0, 1.2))
    assert show_changes(before, after, 5)
    assert not show_changes(before, after, 30)
    assert not show_changes(after, before, 5)
    assert not show_changes(before, before, 0)
    regressed, bounded, better, same = capsys.readouterr().err.split(" figures compared with")[1:]
    assert "REGRESSION" in regressed
    assert "worse" in bounded
    assert "better" in better
    assert "0 changed beyond" in same


def test_another_machine_is_said_loudly(benchmark_of, capsys):
    here = benchmark_of()
    show_changes(here, replace(here, machine={**here.machine, "cores": 64}), 5)
    assert "DIFFERENT MACHINES" in capsys.readouterr().err
    show_changes(here, here, 5)
    assert "MACHINES" not in capsys.readouterr().err


def test_nothing_in_common_is_an_error(benchmark_of, model_of):
    with pytest.raises(InputError, match="names"):
        show_changes(benchmark_of(), benchmark_of((model_of("another", 1.0),)), 5)


def test_what_is_read_is_what_was_written(benchmark_of, tmp_path):
    file = tmp_path / "benchmark.json"
    file.write_text(json.dumps(benchmark_of().to_dict()))
    assert read_benchmark(file) == benchmark_of()


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (None, "cannot be read"),
        ("no json", "not JSON"),
        ("[]", "schema None"),
        ('{"schema": 99}', "schema 99"),
        ('{"schema": 1}', "missing"),
        ('{"schema": 1, "peaks": 3}', "peaks"),
    ],
)
def test_what_is_no_benchmark_is_refused(tmp_path, text, words):
    file = tmp_path / "old.json"
    if text is not None:
        file.write_text(text)
    with pytest.raises(InputError, match=words) as caught:
        read_benchmark(file)
    assert str(file) in str(caught.value)


@pytest.mark.parametrize(
    "arguments",
    [
        ("nowhere.tflite",),
        ("--crop",),
        ("--plot", "x.png", "--runs", "3"),
        ("--size", "wide"),
        ("--size", "9x9"),
        ("--faces", "13"),
        ("--report", "page.pdf"),
        ("--compare", "nowhere.json"),
        ("--crop", "--ops"),
        ("--target-fps", "0"),
    ],
    ids=" ".join,
)
def test_bad_input(cli, arguments):
    done = cli("benchmark", *arguments)
    assert done.returncode == 2
    assert "Traceback" not in done.stderr
    assert 1 <= len(done.stderr.strip().splitlines()) <= 6
    assert not done.stdout


def test_an_empty_folder_is_refused(cli, tmp_path):
    done = cli("benchmark", tmp_path)
    assert done.returncode == 2
    assert str(tmp_path) in done.stderr
