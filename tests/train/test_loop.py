"""The training loop: it learns, and an ended run goes on as if nothing had happened."""

import csv
import dataclasses
import shutil
import signal
import zipfile
from pathlib import Path

import numpy as np
import pytest
from toy_data import run_python, tiny_recipe

from edge_fer.errors import DataError, InputError, ModelError, RecipeError, WorkError
from edge_fer.labels import FER_LABELS, FERPLUS_LABELS
from edge_fer.train.dataset import PUBLIC, TRAINING, Dataset
from edge_fer.train.recipe import Recipe

pytestmark = pytest.mark.train

COLUMNS = ["epoch", "loss", "accuracy", "val_loss", "val_accuracy", "val_macro_f1",
           "learning_rate", "seconds"]  # fmt: skip


class EndedError(Exception):
    """Stands for whatever ends a run."""


def _train(recipe: Recipe, data: Dataset, out: Path, **options):
    from edge_fer.train.loop import train

    return train(recipe, data, out, **options)


def _history(out: Path) -> list[dict[str, float]]:
    """The history without what the clock wrote."""
    with (out / "history.csv").open(newline="") as f:
        rows = [{key: float(value) for key, value in row.items()} for row in csv.DictReader(f)]
    return [{key: value for key, value in row.items() if key != "seconds"} for row in rows]


def _weights(out: Path) -> list[np.ndarray]:
    from edge_fer.train.keras_file import load_model

    return load_model(out / "model.keras")[0].get_weights()


def _same_run(out: Path, other: Path) -> None:
    assert _history(out) == _history(other)
    for weight, wanted in zip(_weights(out), _weights(other), strict=True):
        np.testing.assert_array_equal(weight, wanted)


def _stop_at(epoch: int, step: int):
    def stop(progress) -> None:
        if (progress.epoch, progress.step) == (epoch, step) and progress.row is None:
            raise EndedError

    return stop


def _ended_run(out: Path, data: Dataset, epoch: int = 2, step: int = 3) -> Path:
    with pytest.raises(EndedError):
        _train(tiny_recipe(), data, out, on_progress=_stop_at(epoch, step))
    return out


@pytest.fixture(scope="module")
def ended(tmp_path_factory, toy):
    """A run of one whole epoch, ended in the second; not to be changed."""
    return _ended_run(tmp_path_factory.mktemp("ended") / "run", toy)


@pytest.fixture
def ended_copy(tmp_path, ended):
    """The same, to be changed."""
    out = tmp_path / "run"
    out.mkdir()
    (out / "checkpoint.npz").write_bytes((ended / "checkpoint.npz").read_bytes())
    return out


# Learning


def test_learns_far_above_chance(reference):
    history = _history(reference)
    assert max(row["val_accuracy"] for row in history) > 0.6  # chance is 0.14
    assert history[-1]["loss"] < 0.7 * history[0]["loss"]


def test_history_has_a_row_an_epoch(reference):
    with (reference / "history.csv").open(newline="") as f:
        rows = list(csv.DictReader(f))
    assert list(rows[0]) == COLUMNS
    assert [int(row["epoch"]) for row in rows] == [1, 2, 3, 4, 5]
    rates = [float(row["learning_rate"]) for row in rows]
    assert rates == sorted(rates, reverse=True)
    assert rates[0] == pytest.approx(0.1, rel=0.01)
    assert rates[-1] == pytest.approx(0, abs=1e-4)


def test_model_is_the_best_of_the_validated_ones_and_knows_its_training(reference, toy):
    from edge_fer.train.keras_file import load_model

    model, facts = load_model(reference / "model.keras")
    history = _history(reference)
    accuracies = [row["val_accuracy"] for row in history]
    assert facts["best_epoch"] == 1 + accuracies.index(max(accuracies))
    assert facts["labels"] == list(FER_LABELS)
    assert facts["data"] == toy.describe()
    assert Recipe.from_dict(facts["recipe"]) == tiny_recipe()
    public = toy.split("public")
    logits = model.predict(public.prepared(tiny_recipe().input), verbose=0)
    assert (logits.argmax(1) == public.labels).mean() == pytest.approx(max(accuracies), abs=1e-5)


def test_folder_holds_no_leftovers(reference):
    assert {p.name for p in reference.iterdir()} == {"checkpoint.npz", "history.csv", "model.keras"}


def test_progress_is_told_and_mixed_precision_leaves_a_float32_model(toy, tmp_path):
    import keras

    told = []
    recipe = tiny_recipe(epochs=2, precision="mixed_bfloat16")
    # resume where nothing is: the run starts at the beginning
    model = _train(recipe, toy, tmp_path / "run", resume=True, on_progress=told.append)
    steps = -(-7 * 24 // 16)
    assert [(p.epoch, p.step, p.row is not None) for p in told] == [
        cell
        for epoch in (1, 2)
        for cell in [*((epoch, s, False) for s in range(1, steps + 1)), (epoch, steps, True)]
    ]
    assert all(p.steps == steps and p.loss > 0 and 0 <= p.accuracy <= 1 for p in told)
    rows = [{k: v for k, v in p.row.items() if k != "seconds"} for p in told if p.row]
    assert rows == _history(tmp_path / "run")
    for weight, wanted in zip(model.get_weights(), _weights(tmp_path / "run"), strict=True):
        np.testing.assert_array_equal(weight, wanted)
    assert {layer.compute_dtype for layer in model.layers} == {"float32"}
    assert keras.config.dtype_policy().name == "float32"


# Going on


def test_run_ended_by_an_exception_goes_on_to_the_same_end(ended_copy, toy, reference):
    _train(tiny_recipe(), toy, ended_copy, resume=True)
    _same_run(ended_copy, reference)


def test_run_killed_for_real_goes_on_to_the_same_end(tmp_path, toy, reference):
    out = tmp_path / "run"
    code = """if True:
        import os, signal, sys
        from pathlib import Path
        from toy_data import tiny_recipe, toy_dataset
        from edge_fer.train.loop import train

        def kill(progress):
            if (progress.epoch, progress.step) == (2, 8):
                os.kill(os.getpid(), signal.SIGKILL)

        train(tiny_recipe(), toy_dataset(), Path(sys.argv[1]), on_progress=kill)
        """
    ended = run_python(code, str(out))
    assert ended.returncode == -signal.SIGKILL, ended.stderr[-2000:]
    assert len(_history(out)) == 1
    assert not (out / "model.keras").exists()
    _train(tiny_recipe(), toy, out, resume=True)
    _same_run(out, reference)


def test_resume_of_a_finished_run_trains_no_more(tmp_path, toy, reference):
    out = tmp_path / "run"
    out.mkdir()
    (out / "checkpoint.npz").write_bytes((reference / "checkpoint.npz").read_bytes())
    told = []
    _train(tiny_recipe(), toy, out, resume=True, on_progress=told.append)
    assert told == []
    _same_run(out, reference)


def test_second_run_into_the_same_folder_is_refused(ended, toy):
    before = (ended / "checkpoint.npz").read_bytes()
    with pytest.raises(InputError, match="--resume"):
        _train(tiny_recipe(), toy, ended)
    assert (ended / "checkpoint.npz").read_bytes() == before


@pytest.mark.parametrize(
    "changes", [{"seed": 4}, {"epochs": 6}, {"batch": 8}, {"augment": {"flip": 1.0}}], ids=str
)
def test_resume_with_another_recipe_is_refused(ended, toy, changes):
    before = (ended / "checkpoint.npz").read_bytes()
    with pytest.raises(InputError, match="another recipe"):
        _train(tiny_recipe(**changes), toy, ended, resume=True)
    assert (ended / "checkpoint.npz").read_bytes() == before


def test_resume_with_other_data_is_refused(ended, toy):
    pixels = toy.pixels.copy()
    pixels[0, 0, 0] ^= 1
    with pytest.raises(InputError, match="another data"):
        _train(tiny_recipe(), dataclasses.replace(toy, pixels=pixels), ended, resume=True)


def _flipped(content: bytes) -> bytes:
    place = content.index(b"average/3.npy") + 200  # inside an array, where only a sum tells
    return content[:place] + bytes([content[place] ^ 0xFF]) + content[place + 1 :]


@pytest.mark.parametrize(
    "damage",
    [lambda _: b"", lambda _: b"no checkpoint", lambda c: c[: len(c) // 2], lambda c: c[:-1],
     _flipped, lambda _: b"\x93NUMPY\x01\x00"],
    ids=["empty", "text", "half", "one byte short", "one byte wrong", "head of an array"],
)  # fmt: skip
def test_corrupt_checkpoint_is_refused(ended_copy, toy, damage):
    checkpoint = ended_copy / "checkpoint.npz"
    bad = damage(checkpoint.read_bytes())
    checkpoint.write_bytes(bad)
    with pytest.raises(InputError, match=r"checkpoint\.npz"):
        _train(tiny_recipe(), toy, ended_copy, resume=True)
    assert checkpoint.read_bytes() == bad


def test_checkpoint_without_its_parts_is_refused(ended_copy, toy):
    checkpoint = ended_copy / "checkpoint.npz"
    with np.load(checkpoint) as arrays:
        kept = {name: arrays[name] for name in arrays if not name.startswith("optimizer/")}
    np.savez(checkpoint, **kept)
    with pytest.raises(InputError, match=r"checkpoint\.npz"):
        _train(tiny_recipe(), toy, ended_copy, resume=True)


def test_folder_that_is_a_file_is_refused(tmp_path, toy):
    (tmp_path / "taken").write_text("a file")
    with pytest.raises((InputError, WorkError), match="taken"):
        _train(tiny_recipe(epochs=1), toy, tmp_path / "taken")


# Ends


def test_diverging_run_is_ended_with_advice(tmp_path, toy):
    recipe = tiny_recipe(optimizer={"peak": 1e9})
    with pytest.raises(WorkError, match=r"epoch 1.*peak"):
        _train(recipe, toy, tmp_path / "run")
    assert not (tmp_path / "run" / "model.keras").exists()


def test_training_stops_when_validation_gets_no_better(tmp_path, toy):
    # With a single public picture the accuracy is 0 or 1, and can get better once at most.
    public = np.flatnonzero(toy.splits == PUBLIC)
    keep = toy.splits == TRAINING
    keep[public[0]] = True
    data = toy.take(keep)
    recipe = tiny_recipe(epochs=30, patience=2)
    _train(recipe, data, tmp_path / "run")
    history = _history(tmp_path / "run")
    accuracies = [row["val_accuracy"] for row in history]
    best = 1 + accuracies.index(max(accuracies))
    assert len(history) == best + 2 <= 5


def test_empty_split_is_refused_before_anything_is_written(tmp_path, toy):
    for split, name in ((TRAINING, "training"), (PUBLIC, "public")):
        with pytest.raises(DataError, match=name):
            _train(tiny_recipe(), toy.take(toy.splits != split), tmp_path / "run")
    assert not (tmp_path / "run").exists()


# Starting from a model


def test_start_from_a_model_of_the_same_network(tmp_path, toy, reference):
    recipe = tiny_recipe(epochs=1, optimizer={"peak": 1e-6, "average": 0.0})
    model = _train(recipe, toy, tmp_path / "run", start=reference / "model.keras")
    assert _history(tmp_path / "run")[0]["val_accuracy"] > 0.6
    for layer in model.layers:  # nearly no learning: the kernels are the other model's
        if layer.name == "stem":
            wanted = _weights(reference)[0]
            np.testing.assert_allclose(layer.get_weights()[0], wanted, atol=1e-3)


@pytest.mark.parametrize(
    "network",
    [
        {"name": "residual", "options": {"stem": 16, "widths": [16, 16], "blocks": [1, 1]}},
        {"name": "residual", "options": {"stem": 16, "widths": [24], "blocks": [1]}},
        {"name": "vgg", "options": {"widths": [4], "dense": 4}},
    ],
    ids=["more stages", "wider", "vgg"],
)
def test_start_from_another_network_is_refused(tmp_path, toy, reference, network):
    with pytest.raises(ModelError, match=r"model\.keras"):
        _train(tiny_recipe(network=network), toy, tmp_path, start=reference / "model.keras")


def test_start_from_what_is_no_model_is_refused(tmp_path, toy):
    (tmp_path / "no.keras").write_text("no model")
    for name in ("no.keras", "missing.keras"):
        with pytest.raises(ModelError, match=name):
            _train(tiny_recipe(), toy, tmp_path / "run", start=tmp_path / name)


def test_model_with_broken_facts_is_refused_or_read_without(tmp_path, reference):
    from edge_fer.train.keras_file import load_model

    whole = tmp_path / "whole.keras"
    whole.write_bytes((reference / "model.keras").read_bytes())
    with zipfile.ZipFile(whole) as archive:
        names = archive.namelist()
        assert "edge_fer.json" in names
        bare = tmp_path / "bare.keras"
        with zipfile.ZipFile(bare, "w") as other:
            for name in names:
                if name != "edge_fer.json":
                    other.writestr(name, archive.read(name))
    model, facts = load_model(bare)
    assert facts == {}
    assert model.output_shape == (None, 7)
    with zipfile.ZipFile(bare, "a") as other:
        other.writestr("edge_fer.json", "{broken")
    with pytest.raises(ModelError, match=r"bare\.keras"):
        load_model(bare)


# Two truths, and teachers


def _student(**targets) -> Recipe:
    given = {"head": "ferplus", "other": 0.5, "teachers": ["coach"], "views": 2, **targets}
    return tiny_recipe(name="student", epochs=3, targets=given)


@pytest.fixture(scope="module")
def asked(tmp_path_factory, coach, voted):
    """A teacher that has looked at all views; nobody may ask it to look again."""
    from edge_fer.train.heads import heads_of
    from edge_fer.train.teachers import Teacher

    folder = shutil.copytree(coach, tmp_path_factory.mktemp("asked") / "coach")
    recipe = _student()
    teacher = Teacher(folder, heads_of(recipe, voted), recipe, voted.fingerprint())
    pictures = voted.split("training").prepared(recipe.input)
    for view in (0, 1):
        teacher.say(pictures, view)
    return folder


@pytest.fixture
def nobody_looks(monkeypatch):
    from edge_fer.train.teachers import Teacher

    def refuse(self, pictures, view):
        raise AssertionError(f"view {view} was looked at again")

    monkeypatch.setattr(Teacher, "_look", refuse)


@pytest.fixture(scope="module")
def student(tmp_path_factory, asked, voted):
    """The folder of a whole run of a taught network that names what people see."""
    out = tmp_path_factory.mktemp("student") / "student"
    with pytest.MonkeyPatch.context() as patch:
        from edge_fer.train.teachers import Teacher

        patch.setattr(Teacher, "_look", None)
        _train(_student(), voted, out, teachers=[asked])
    return out


@pytest.mark.parametrize(
    ("run", "heads"),
    [("coach", [("fer2013", 7), ("ferplus", 8)]), ("student", [("ferplus", 8), ("fer2013", 7)])],
)
def test_the_model_names_the_classes_of_the_first_head_alone(request, run, heads):
    from edge_fer.train.keras_file import load_model

    out = request.getfixturevalue(run)
    labels = {"fer2013": list(FER_LABELS), "ferplus": list(FERPLUS_LABELS)}
    model, facts = load_model(out / "model.keras")
    (first, count), *_ = heads
    assert facts["labels"] == labels[first]
    assert facts["heads"] == [[first, labels[first]]]
    assert model.output_shape == (None, count)
    whole, all_facts = load_model(out / "all-heads.keras")
    assert all_facts["heads"] == [[name, labels[name]] for name, _ in heads]
    assert whole.output_shape == (None, 15)
    assert {key: all_facts[key] for key in ("recipe", "data", "best_epoch")} == {
        key: facts[key] for key in ("recipe", "data", "best_epoch")
    }
    for weight, wanted in zip(model.get_weights(), whole.get_weights(), strict=True):
        np.testing.assert_array_equal(weight, wanted[tuple(slice(n) for n in weight.shape)])


@pytest.mark.parametrize("run", ["coach", "student"])
def test_validation_is_by_each_heads_own_truth(request, run, voted):
    from edge_fer.train.keras_file import load_model
    from edge_fer.train.votes import majority

    out = request.getfixturevalue(run)
    history = _history(out)
    assert list(history[0]) == [*COLUMNS[:6], "val_other_accuracy", "learning_rate"]
    model, facts = load_model(out / "all-heads.keras")
    public = voted.split("public")
    logits = model.predict(public.prepared(tiny_recipe().input), verbose=0)
    numbers = {"fer2013": public.labels, "ferplus": majority(public.votes, FERPLUS_LABELS)}
    start, row = 0, history[facts["best_epoch"] - 1]
    for (name, labels), key in zip(
        facts["heads"], ("val_accuracy", "val_other_accuracy"), strict=True
    ):
        known = numbers[name] >= 0
        called = logits[:, start : start + len(labels)].argmax(1)
        assert row[key] == pytest.approx((called == numbers[name])[known].mean(), abs=1e-5)
        start += len(labels)
    assert (numbers["ferplus"] < 0).any()


def test_a_network_with_one_head_writes_one_model(reference):
    assert not (reference / "all-heads.keras").exists()


def test_what_a_teacher_said_serves_another_run_that_goes_on_when_ended(
    tmp_path, asked, voted, student, nobody_looks
):
    out = tmp_path / "run"
    with pytest.raises(EndedError):
        _train(_student(), voted, out, teachers=[asked], on_progress=_stop_at(2, 3))
    _train(_student(), voted, out, teachers=[asked], resume=True)
    _same_run(out, student)
    assert [len(list(said.iterdir())) for said in asked.glob("said-*")] == [2]


@pytest.mark.parametrize("what", ["other data", "missing head", "no model"])
def test_what_cannot_teach_is_refused_before_anything_is_written(
    tmp_path, coach, reference, voted, what
):
    pixels = voted.pixels ^ np.uint8(1)
    data = dataclasses.replace(voted, pixels=pixels) if what == "other data" else voted
    folder = {"missing head": reference, "no model": tmp_path}.get(what, coach)
    with pytest.raises((InputError, RecipeError, ModelError), match=folder.name):
        _train(_student(), data, tmp_path / "run", teachers=[folder])
    assert not (tmp_path / "run").exists()


def test_the_votes_head_without_votes_is_refused_before_anything_is_written(tmp_path, toy):
    with pytest.raises(DataError, match="--votes"):
        _train(_student(), toy, tmp_path / "run")
    assert not (tmp_path / "run").exists()


# Batches and weights


def test_batches_are_the_epochs_pictures_once_each(toy):
    from edge_fer.train.batches import Batches
    from edge_fer.train.heads import heads_of

    plain = {"flip": 0, "rotate": 0, "scale": 0, "shift": 0, "contrast": 0, "brightness": 0,
             "blur": 0, "erase": 0}  # fmt: skip
    recipe = tiny_recipe(augment=plain, input={"height": 48, "width": 48})
    training = toy.split("training")
    batches = Batches(training, recipe, heads_of(recipe, training))
    assert len(batches) == 11  # 168 pictures, 16 a batch, the last one short
    parts = zip(*(batches[i] for i in range(11)), strict=True)
    pictures, targets = map(np.concatenate, parts)
    assert pictures.dtype == targets.dtype == np.float32
    assert pictures.shape == (168, 48, 48, 1)
    keys = [picture.tobytes() for picture in training.pixels]
    labels = dict(zip(keys, training.labels.tolist(), strict=True))
    seen = [picture.astype(np.uint8).tobytes() for picture in pictures]
    assert sorted(seen) == sorted(labels)
    assert [labels[key] for key in seen] == targets.argmax(1).tolist()
    # Every class has as many pictures, so all weigh the same.
    np.testing.assert_allclose(targets.sum(1), 1, rtol=1e-5)
    np.testing.assert_allclose(targets.max(1), 0.9 + 0.1 / 7, rtol=1e-5)

    again = Batches(training, recipe, heads_of(recipe, training))
    again.start(1)
    assert (again[0][0] != batches[0][0]).any()
    again.start(0)
    np.testing.assert_array_equal(again[3][0], batches[3][0])
    recipe = tiny_recipe(augment=plain, input={"height": 48, "width": 48}, seed=9)
    other = Batches(training, recipe, heads_of(recipe, training))
    assert (other[0][0] != batches[0][0]).any()


def test_class_weights_by_hand():
    from edge_fer.train.heads import class_weights

    labels = np.repeat([0, 1, 2], [16, 4, 1])
    np.testing.assert_allclose(class_weights(labels, 3, 0), [1, 1, 1])
    every_class_alike = class_weights(labels, 3, 1) * [16, 4, 1]
    np.testing.assert_allclose(every_class_alike, [7, 7, 7], rtol=1e-6)
    half = class_weights(labels, 3, 0.5)
    np.testing.assert_allclose(half / half[0], [1, 2, 4], rtol=1e-6)
    for balance in (0, 0.25, 0.5, 1):
        weights = class_weights(labels, 3, balance)
        assert weights.dtype == np.float32
        assert weights[labels].mean() == pytest.approx(1, rel=1e-6)


def test_class_weights_of_a_class_without_pictures():
    from edge_fer.train.heads import class_weights

    weights = class_weights(np.array([0, 0, 2]), 3, 0.5)
    assert np.isfinite(weights).all()
    assert weights[[0, 0, 2]].mean() == pytest.approx(1, rel=1e-6)
