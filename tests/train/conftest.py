"""Fixtures of the tests of training."""

from dataclasses import replace
from pathlib import Path

import pytest
from toy_data import reference_run, tiny_recipe, toy_dataset, toy_votes

from edge_fer.train.dataset import Dataset


@pytest.fixture(scope="session")
def toy() -> Dataset:
    """Toy data that can be learned."""
    return toy_dataset()


@pytest.fixture(scope="session")
def small() -> Dataset:
    """Few toy pictures in all three splits, to read and write."""
    return toy_dataset(training=3, public=2, private=1, seed=1)


@pytest.fixture(scope="session")
def reference(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a whole run of the tiny recipe on the toy data."""
    return reference_run(tmp_path_factory.getbasetemp())


@pytest.fixture(scope="session")
def voted(toy: Dataset) -> Dataset:
    """The same with made-up votes."""
    return replace(toy, votes=toy_votes(toy))


@pytest.fixture(scope="session")
def coach(tmp_path_factory: pytest.TempPathFactory, voted: Dataset) -> Path:
    """The folder of a run that learned labels and votes, to teach; not to be changed."""
    from edge_fer.train.loop import train

    out = tmp_path_factory.mktemp("coach") / "coach"
    train(tiny_recipe(name="coach", epochs=2, targets={"other": 0.5}), voted, out)
    return out
