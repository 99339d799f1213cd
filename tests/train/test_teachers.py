"""Teachers: what they are asked, what they say, and who is no teacher."""

import dataclasses
import shutil

import numpy as np
import pytest
from toy_data import tiny_recipe

from edge_fer.errors import InputError, ModelError, RecipeError
from edge_fer.probabilities import softmax
from edge_fer.train.heads import heads_of

pytestmark = pytest.mark.train

TARGETS = {"other": 0.5, "teachers": ["coach"], "teach": 0.6, "views": 2}
VIEWS = {"rotate": 5, "shift": 0.1, "noise": 0.5}


def _student(**changes):
    return tiny_recipe(**{"name": "student", "targets": TARGETS, "augment": VIEWS, **changes})


def _teacher(folder, recipe, data, **options):
    from edge_fer.train.teachers import Teacher

    return Teacher(folder, heads_of(recipe, data), recipe, data.fingerprint(), **options)


@pytest.fixture
def folder(tmp_path, coach):
    """The teacher's folder, to be changed."""
    return shutil.copytree(coach, tmp_path / "coach")


@pytest.fixture(scope="module")
def pictures(voted):
    """Some prepared pictures."""
    return voted.split("training").prepared(tiny_recipe().input)[:20]


@pytest.fixture
def asked(monkeypatch):
    """The numbers of the views that teachers looked at."""
    from edge_fer.train.teachers import Teacher

    look, numbers = Teacher._look, []

    def remember(self, pictures, view):
        numbers.append(view)
        return look(self, pictures, view)

    monkeypatch.setattr(Teacher, "_look", remember)
    return numbers


# What they say


@pytest.mark.parametrize(
    ("targets", "columns"),
    [
        ({}, [slice(0, 7), slice(7, 15)]),
        ({"head": "ferplus"}, [slice(7, 15), slice(0, 7)]),
        ({"other": 0.0}, [slice(0, 7)]),
        ({"head": "ferplus", "other": 0.0}, [slice(7, 15)]),
    ],
    ids=["the same heads", "the other way round", "labels alone", "votes alone"],
)
def test_a_teacher_says_what_it_sees_in_the_students_columns(
    folder, voted, pictures, targets, columns
):
    from edge_fer.train.keras_file import load_model

    recipe = _student(targets=TARGETS | targets)
    said = _teacher(folder, recipe, voted).say(pictures, 1)
    model, _ = load_model(folder / "all-heads.keras")
    seen = recipe.augment.view(pictures, np.arange(20), recipe.seed, 1)
    looks = [np.asarray(model(v.astype(np.float32))) for v in (seen, seen[:, :, ::-1])]
    logits = np.mean(looks, 0)
    wanted = np.concatenate([softmax(logits[:, one]) for one in columns], 1)
    assert said.dtype == np.float32
    np.testing.assert_allclose(said, wanted, atol=2e-3)  # kept as float16
    np.testing.assert_allclose(said.sum(1), len(columns), rtol=1e-5)
    unchanged = softmax(np.asarray(model(pictures.astype(np.float32)))[:, columns[0]])
    assert np.abs(said[:, : unchanged.shape[1]] - unchanged).max() > 0.01


def test_a_teacher_looks_once_at_each_view_and_says_so(folder, voted, pictures, asked):
    told = []
    teacher = _teacher(folder, _student(), voted, on_step=told.append)
    first = [teacher.say(pictures, view) for view in (0, 1)]
    again = [teacher.say(pictures, view) for view in (1, 0)][::-1]
    anew = _teacher(folder, _student(), voted).say(pictures, 1)
    assert asked == [0, 1]
    assert told == ["coach looks at view 1 of 2", "coach looks at view 2 of 2"]
    np.testing.assert_array_equal(again, first)
    np.testing.assert_array_equal(anew, again[1])
    assert np.abs(first[0] - first[1]).max() > 0.01
    (said,) = folder.glob("said-*")
    assert sorted(p.name for p in said.iterdir()) == ["000.npy", "001.npy"]
    assert {np.load(p).shape for p in said.iterdir()} == {(20, 15)}


def test_students_of_other_targets_share_what_was_said(folder, voted, pictures, asked):
    for targets in ({}, {"head": "ferplus"}, {"other": 0.0}, {"teach": 0.9}):
        _teacher(folder, _student(targets=TARGETS | targets), voted).say(pictures, 0)
    assert asked == [0]


@pytest.mark.parametrize(
    "changes", [{"seed": 4}, {"augment": VIEWS | {"rotate": 25}}], ids=["seed", "augmentation"]
)
def test_other_views_are_looked_at_anew(folder, voted, pictures, asked, changes):
    said = _teacher(folder, _student(), voted).say(pictures, 0)
    other = _teacher(folder, _student(**changes), voted).say(pictures, 0)
    assert asked == [0, 0]
    assert np.abs(said - other).max() > 0.01


def test_another_teacher_in_the_same_folder_is_asked_anew(folder, voted, pictures, asked):
    from edge_fer.train.keras_file import load_model, save_model

    before = _teacher(folder, _student(), voted).say(pictures, 0)
    model, facts = load_model(folder / "all-heads.keras")
    *rest, bias = model.get_weights()
    model.set_weights([*rest, np.roll(bias, 1) + np.arange(15)])
    save_model(model, facts, folder / "all-heads.keras")
    after = _teacher(folder, _student(), voted).say(pictures, 0)
    assert asked == [0, 0]
    assert np.abs(after - before).max() > 0.1


def test_a_student_in_mixed_precision_hears_nearly_the_same(folder, voted, pictures, tmp_path):
    import keras

    other = shutil.copytree(folder, tmp_path / "other")
    said = _teacher(folder, _student(), voted).say(pictures, 0)
    mixed = _teacher(other, _student(precision="mixed_bfloat16"), voted)
    np.testing.assert_allclose(mixed.say(pictures, 0), said, atol=0.05)
    assert keras.config.dtype_policy().name == "float32"


def test_a_teacher_of_one_head_teaches_it(reference, toy, pictures, tmp_path):
    folder = shutil.copytree(reference, tmp_path / "one")
    said = _teacher(folder, _student(targets={"teachers": ["one"]}), toy).say(pictures, 0)
    assert said.shape == (20, 7)


# Who is no teacher


def test_a_teacher_of_other_data_is_refused(coach, voted):
    pixels = voted.pixels.copy()
    pixels[0, 0, 0] ^= 1
    with pytest.raises(InputError, match=r"coach.*other data"):
        _teacher(coach, _student(), dataclasses.replace(voted, pixels=pixels))


def test_a_teacher_that_does_not_know_a_head_is_refused(reference, voted):
    with pytest.raises(RecipeError, match=r"does not know ferplus.*--votes"):
        _teacher(reference, _student(), voted)


def test_a_teacher_of_another_input_is_refused(coach, voted):
    recipe = _student(input={"height": 24, "width": 24, "resize": "linear"})
    with pytest.raises(RecipeError, match=r"coach.*input.*student"):
        _teacher(coach, recipe, voted)


def test_a_folder_without_a_model_is_refused(tmp_path, voted):
    with pytest.raises(ModelError, match="nobody holds no trained model"):
        _teacher(tmp_path / "nobody", _student(), voted)


# What a student makes of it


class FakeTeacher:
    """Is sure that every picture is of the class of its place and the view."""

    def __init__(self, shift=0):
        self.views, self._shift = [], shift

    def say(self, pictures, view):
        self.views.append(view)
        classes = (np.arange(len(pictures)) + view + self._shift) % 7
        return np.eye(7, dtype=np.float32)[classes]


NOTHING = {"flip": 0, "rotate": 0, "scale": 0, "shift": 0, "contrast": 0, "brightness": 0,
           "blur": 0, "erase": 0}  # fmt: skip


def _batches(recipe, data, teachers):
    from edge_fer.train.batches import Batches

    return Batches(data, recipe, heads_of(recipe, data), teachers)


def test_targets_are_mixed_of_labels_and_the_mean_of_the_teachers(toy):
    training = toy.split("training")
    recipe = _student(augment=NOTHING, targets={"teach": 0.6}, loss={"smoothing": 0.0},
                      input={"height": 48, "width": 48})  # fmt: skip
    batches = _batches(recipe, training, [FakeTeacher(), FakeTeacher(2)])
    places = {picture.tobytes(): place for place, picture in enumerate(training.pixels)}
    for pixels, targets in (batches[0], batches[3]):
        for picture, row in zip(pixels, targets, strict=True):
            place = places[picture.astype(np.uint8).tobytes()]
            wanted = np.zeros(7)
            np.add.at(wanted, [training.labels[place], place % 7, (place + 2) % 7], [0.4, 0.3, 0.3])
            np.testing.assert_allclose(row, wanted, atol=1e-5)


def test_taught_targets_count_as_much_as_others(voted):
    recipe = _student(targets={"other": 0.5, "teach": 1.0}, loss={"smoothing": 0.0})
    training = voted.split("training")

    class Sure:
        def say(self, pictures, view):
            row = np.zeros(15, np.float32)
            row[[2, 9]] = 1
            return np.tile(row, (len(pictures), 1))

    _, targets = _batches(recipe, training, [Sure()])[0]
    wanted = np.zeros(15)
    wanted[[2, 9]] = 1, 0.5  # all classes are of one size, and the votes weigh a half
    np.testing.assert_allclose(targets, np.tile(wanted, (16, 1)), atol=1e-5)


def test_views_come_round_and_are_those_that_the_teacher_saw(toy):
    teacher = FakeTeacher()
    training = toy.split("training")
    still = VIEWS | {"flip": 0, "erase": 0, "mixup": 0}
    recipe = _student(augment=still, targets={"views": 3})
    batches = _batches(recipe, training, [teacher])
    pictures = training.prepared(recipe.input)
    teacher.views.clear()
    for epoch in range(5):
        batches.start(epoch)
        shown = {pixels.tobytes() for i in range(len(batches)) for pixels in batches[i][0]}
        views = recipe.augment.view(pictures, np.arange(168), recipe.seed, epoch % 3)
        assert shown == {view.astype(np.float32).tobytes() for view in views}
    assert teacher.views == [0, 1, 2, 0, 1]


def test_without_teachers_no_view_comes_again(toy):
    training = toy.split("training")
    still = VIEWS | {"flip": 0, "erase": 0}
    batches = _batches(_student(augment=still, targets={"views": 2}), training, [])
    shown = []
    for epoch in (0, 2):
        batches.start(epoch)
        shown.append({pixels.tobytes() for i in range(len(batches)) for pixels in batches[i][0]})
    assert not shown[0] & shown[1]
