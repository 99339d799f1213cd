"""Fixtures of the tests of training."""

from pathlib import Path

import pytest
from toy_data import reference_run, toy_dataset

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
