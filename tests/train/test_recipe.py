"""Recipes: plain data that is refused where it cannot be used."""

import dataclasses
import json
from dataclasses import asdict

import pytest
from toy_data import TINY_TOML, tiny_recipe

from edge_fer.errors import RecipeError
from edge_fer.labels import FER_LABELS
from edge_fer.train.recipe import Network, Recipe, load_recipe, recipe_names, with_needed


def _with(text: str, old: str = "", new: str = "") -> str:
    assert old in text
    return text.replace(old, new, 1)


def _plain(value: object) -> object:
    return json.loads(json.dumps(value))


def test_shipped_recipes_are_listed():
    assert {"fer-base", "vgg"} <= set(recipe_names())


@pytest.mark.train
@pytest.mark.parametrize("name", recipe_names())
def test_every_shipped_recipe_loads_and_builds(name):
    from edge_fer.train.networks import build, macs

    recipe = load_recipe(name)
    assert recipe.name == name
    network = recipe.network
    model = build(network.name, recipe.input, len(FER_LABELS), network.options)
    assert model.input_shape == (None, 48, 48, 1)
    assert model.output_shape == (None, 7)
    assert macs(model) > 1e6


@pytest.mark.parametrize("name", recipe_names())
def test_shipped_recipes_survive_json(name):
    recipe = load_recipe(name)
    again = Recipe.from_dict(_plain(recipe.to_dict()))
    assert again == recipe
    assert _plain(again.to_dict()) == _plain(recipe.to_dict())


def test_recipe_with_tuples_survives_json_as_lists():
    recipe = Recipe(network=Network("residual", {"widths": (4, 8), "blocks": (1, 1)}), epochs=3)
    again = Recipe.from_dict(_plain(recipe.to_dict()))
    assert again.network.options == {"widths": [4, 8], "blocks": [1, 1]}
    assert _plain(again.to_dict()) == _plain(recipe.to_dict())
    assert Recipe.from_dict(_plain(again.to_dict())) == again


def test_what_is_not_given_keeps_its_default():
    assert Recipe.from_dict({}) == Recipe()
    recipe = Recipe.from_dict({"epochs": 7, "optimizer": {"peak": 0.2}, "augment": {"flip": 0.1}})
    assert recipe.epochs == 7
    assert asdict(recipe.optimizer) == {**asdict(Recipe().optimizer), "peak": 0.2}
    assert asdict(recipe.augment) == {**asdict(Recipe().augment), "flip": 0.1}
    assert recipe.loss == Recipe().loss


def test_whole_numbers_are_good_where_fractions_are():
    recipe = Recipe.from_dict({"optimizer": {"peak": 1, "warmup": 0}, "loss": {"smoothing": 0}})
    assert recipe.optimizer.peak == 1


def test_recipe_from_a_file(tmp_path):
    path = tmp_path / "mine.toml"
    path.write_text(TINY_TOML, "utf-8")
    assert load_recipe(str(path)) == tiny_recipe()


def test_changes_leave_what_is_none():
    recipe = tiny_recipe()
    assert recipe.with_changes(epochs=None, seed=None) == recipe
    changed = recipe.with_changes(epochs=2, seed=0)
    assert changed == dataclasses.replace(recipe, epochs=2, seed=0)
    assert recipe.epochs == 5
    with pytest.raises(RecipeError, match="epochs"):
        recipe.with_changes(epochs=0)


@pytest.mark.parametrize(
    "section", [None, "input", "network", "optimizer", "loss", "targets", "augment"]
)
def test_unknown_key_is_named(section):
    raw = {"peek": 1} if section is None else {section: {"peek": 1}}
    with pytest.raises(RecipeError, match=r"mine\.toml.*'peek'") as caught:
        Recipe.from_dict(raw, "mine.toml")
    if section:
        assert section in str(caught.value)


WRONG = [
    {"epochs": 0},
    {"epochs": -3},
    {"epochs": "three"},
    {"epochs": 1.5},
    {"epochs": True},
    {"epochs": [3]},
    {"batch": 0},
    {"batch": "16"},
    {"patience": 0},
    {"seed": -1},
    {"seed": 0.5},
    {"seed": "one"},
    {"precision": "float16"},
    {"precision": "float64"},
    {"precision": 32},
    {"name": 5},
    {"input": 48},
    {"input": []},
    {"input": {"height": 4}},
    {"input": {"height": "48"}},
    {"input": {"height": 48.5}},
    {"input": {"channels": 3}},
    {"input": {"color": "cmyk"}},
    {"input": {"resize": "nearest"}},
    {"network": "vgg"},
    {"network": {"name": 5}},
    {"network": {"options": 5}},
    {"network": {"options": [1, 2]}},
    {"optimizer": 0.1},
    {"optimizer": {"peak": "high"}},
    {"optimizer": {"peak": [0.1]}},
    {"optimizer": {"warmup": "two"}},
    {"loss": {"smoothing": "much"}},
    {"loss": {"balance": {}}},
    {"targets": "labels"},
    {"targets": {"head": "ckplus"}},
    {"targets": {"other": -0.5}},
    {"targets": {"teachers": "teacher"}},
    {"targets": {"teachers": [1]}},
    {"targets": {"teach": 1.5}},
    {"targets": {"teach": -0.1}},
    {"targets": {"views": 0}},
    {"targets": {"views": 1.5}},
    {"start": 5},
    {"augment": "strong"},
    {"augment": {"flip": "often"}},
    {"augment": {"rotate": [1, 2]}},
]


@pytest.mark.parametrize("raw", WRONG, ids=str)
def test_values_of_the_wrong_kind_are_refused(raw):
    with pytest.raises(RecipeError) as caught:
        Recipe.from_dict(raw, "mine.toml")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "content",
    [b"epochs = ", b"[network\nname = 'vgg'", b"epochs = 1\nepochs = 2", b"\xff\xfe", b"just text"],
)
def test_file_that_is_no_toml_is_refused(tmp_path, content):
    path = tmp_path / "bad.toml"
    path.write_bytes(content)
    with pytest.raises(RecipeError, match=r"bad\.toml"):
        load_recipe(str(path))


def test_missing_recipe_is_refused_with_the_names_there_are(tmp_path):
    for name in ("fer-bass", str(tmp_path / "none.toml"), str(tmp_path)):
        with pytest.raises(RecipeError, match="fer-base") as caught:
            load_recipe(name)
        assert name in str(caught.value)


def test_file_with_an_unknown_key_is_named(tmp_path):
    path = tmp_path / "mine.toml"
    path.write_text(_with(TINY_TOML, "peak =", "peek ="))
    with pytest.raises(RecipeError, match=r"mine\.toml.*optimizer.*'peek'.*peak"):
        load_recipe(str(path))


# What a recipe builds on


def _write(folder, **recipes):
    """Recipes that build on each other by their files, by name."""
    for name, text in recipes.items():
        for other in recipes:
            text = text.replace(f"<{other}>", str(folder / f"{other}.toml"))
        (folder / f"{name}.toml").write_text(text)


def _needed(folder, name):
    return [recipe.name for recipe in with_needed(load_recipe(str(folder / f"{name}.toml")))]


@pytest.mark.parametrize("name", recipe_names())
def test_shipped_recipes_come_after_what_they_build_on(name):
    recipes = with_needed(load_recipe(name))
    names = [recipe.name for recipe in recipes]
    assert names[-1] == name
    for place, recipe in enumerate(recipes):
        assert recipe == load_recipe(recipe.name)
        needs = {*recipe.targets.teachers, *filter(None, [recipe.start])}
        assert needs <= set(names[:place])


def test_a_recipe_that_builds_on_nothing_stands_alone(tmp_path):
    _write(tmp_path, one="epochs = 3")
    assert with_needed(load_recipe(str(tmp_path / "one.toml"))) == [Recipe(name="one", epochs=3)]


def test_teachers_and_start_come_first_and_once(tmp_path):
    _write(
        tmp_path,
        student='start = "<base>"\n[targets]\nteachers = ["<wide>", "<deep>"]',
        wide='start = "<base>"',
        deep="[targets]\nteachers = ['<wide>']",
        base="epochs = 3",
    )
    assert _needed(tmp_path, "student") == ["base", "wide", "deep", "student"]
    assert _needed(tmp_path, "deep") == ["base", "wide", "deep"]


def test_needed_recipes_may_be_shipped_ones(tmp_path):
    _write(tmp_path, student='[targets]\nteachers = ["vgg"]')
    needed = with_needed(load_recipe(str(tmp_path / "student.toml")))
    assert needed[0] == load_recipe("vgg")
    assert needed[1].targets.teachers == ("vgg",)


@pytest.mark.parametrize(
    "recipes",
    [
        {"one": 'start = "<one>"'},
        {"one": '[targets]\nteachers = ["<one>"]'},
        {"one": 'start = "<two>"', "two": '[targets]\nteachers = ["<one>"]'},
        {"one": 'start = "<two>"', "two": 'start = "<three>"', "three": 'start = "<one>"'},
        # The circle need not hold the recipe that was asked for.
        {"zero": 'start = "<one>"', "one": 'start = "<two>"', "two": 'start = "<one>"'},
    ],
    ids=["start", "teacher", "two", "three", "further on"],
)
def test_a_recipe_that_builds_on_itself_is_refused(tmp_path, recipes):
    _write(tmp_path, **recipes)
    with pytest.raises(RecipeError, match="one builds on itself"):
        _needed(tmp_path, next(iter(recipes)))


def test_a_missing_or_broken_recipe_to_build_on_is_named(tmp_path):
    _write(tmp_path, one='start = "<two>"', two="peek = 1", three='start = "nonesuch"')
    with pytest.raises(RecipeError, match=r"two\.toml.*'peek'"):
        _needed(tmp_path, "one")
    with pytest.raises(RecipeError, match="nonesuch"):
        _needed(tmp_path, "three")
