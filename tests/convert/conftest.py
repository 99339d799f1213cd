"""Fixtures of the tests of conversion."""

from pathlib import Path

import pytest
from toy_data import reference_run, toy_dataset

from edge_fer.train.dataset import Dataset


@pytest.fixture(scope="session")
def toy() -> Dataset:
    """Toy data that can be learned."""
    return toy_dataset()


@pytest.fixture(scope="session")
def model_path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A Keras model that reads the toy data well."""
    return reference_run(tmp_path_factory.getbasetemp()) / "model.keras"
