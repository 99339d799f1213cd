"""A recipe: all that decides a training run, as a file of plain data."""

from __future__ import annotations

import json
import tomllib
from dataclasses import asdict, dataclass, field, replace
from importlib import resources
from pathlib import Path
from typing import Any

from edge_fer.card import InputSpec
from edge_fer.errors import RecipeError
from edge_fer.plain import from_plain
from edge_fer.train.augment import Augment
from edge_fer.train.truths import FER2013, TRUTHS

PRECISIONS = ("float32", "mixed_bfloat16")


@dataclass(frozen=True)
class Network:
    """Which network, and its options (see ``networks``)."""

    name: str = "residual"
    options: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Optimizer:
    """Stochastic gradient descent with Nesterov momentum and a cosine schedule.

    Attributes:
        peak: Highest learning rate.
        momentum: Nesterov momentum.
        weight_decay: Decoupled decay of kernels, times the learning rate, each step.
        warmup: Epochs over which the learning rate rises from zero.
        average: Decay, a step, of the running average of the weights that is validated and kept.
        clip: Largest norm of the gradient.
    """

    peak: float = 0.1
    momentum: float = 0.9
    weight_decay: float = 5e-3
    warmup: float = 2
    average: float = 0.999
    clip: float = 5.0


@dataclass(frozen=True)
class Loss:
    """Cross-entropy.

    Attributes:
        smoothing: Label smoothing (Szegedy et al. 2015).
        balance: How far rare classes weigh more: a class of n pictures weighs n ** -balance;
            0 is every picture alike, 1 is every class alike.
    """

    smoothing: float = 0.1
    balance: float = 0.25


@dataclass(frozen=True)
class Targets:
    """What the network learns, and from whom.

    Attributes:
        head: What the model names: ``"fer2013"``, the labels of FER-2013, or ``"ferplus"``, what
            FER+'s taggers see.
        other: Weight of the other of the two, learned beside it and left out of the model; 0 is
            not at all. It needs the votes.
        teachers: Recipes of the networks that teach this one (distillation, Hinton et al. 2015).
        teach: Share of the teachers' probabilities in the targets.
        views: How many views of each picture there are; teachers say once what they see in each.
    """

    head: str = FER2013
    other: float = 0.0
    teachers: tuple[str, ...] = ()
    teach: float = 0.7
    views: int = 16


@dataclass(frozen=True)
class Recipe:
    """All that decides a training run.

    Attributes:
        name: The model's name.
        epochs: Passes over the training split.
        batch: Pictures a step.
        seed: Decides weights, order and augmentation.
        precision: ``"float32"`` or ``"mixed_bfloat16"``.
        patience: Epochs without a better validation accuracy after which training stops.
        input: What the network takes.
        network: Which network.
        optimizer: How it learns.
        loss: What it minimises.
        targets: What it learns, and from whom.
        frozen_epochs: Passes over the training split in which the logits alone learn, before the
            first epoch: for networks that start from others' weights.
        start: Recipe of the network whose weights this one starts from, pruned where it is larger;
            none where empty.
        augment: How training pictures are changed.
    """

    name: str = "mine"
    epochs: int = 40
    batch: int = 128
    seed: int = 1
    precision: str = "mixed_bfloat16"
    patience: int = 20
    input: InputSpec = field(default_factory=InputSpec)
    network: Network = field(default_factory=Network)
    optimizer: Optimizer = field(default_factory=Optimizer)
    loss: Loss = field(default_factory=Loss)
    targets: Targets = field(default_factory=Targets)
    augment: Augment = field(default_factory=Augment)
    start: str = ""
    frozen_epochs: int = 0

    def __post_init__(self) -> None:
        if self.precision not in PRECISIONS:
            raise RecipeError(f"precision {self.precision!r} is not one of {', '.join(PRECISIONS)}")
        if self.targets.head not in TRUTHS:
            raise RecipeError(
                f"targets, head {self.targets.head!r} is not one of {', '.join(TRUTHS)}"
            )
        ranges = {
            "epochs": (self.epochs, 1, None),
            "batch": (self.batch, 1, None),
            "patience": (self.patience, 1, None),
            "frozen_epochs": (self.frozen_epochs, 0, None),
            "seed": (self.seed, 0, 2**32 - 1),
            "optimizer, peak": (self.optimizer.peak, 0, None),
            "optimizer, weight_decay": (self.optimizer.weight_decay, 0, None),
            "optimizer, warmup": (self.optimizer.warmup, 0, None),
            "optimizer, clip": (self.optimizer.clip, 1e-6, None),
            "optimizer, momentum": (self.optimizer.momentum, 0, 0.9999),
            "optimizer, average": (self.optimizer.average, 0, 1),
            "loss, smoothing": (self.loss.smoothing, 0, 0.99),
            "targets, other": (self.targets.other, 0, None),
            "targets, teach": (self.targets.teach, 0, 1),
            "targets, views": (self.targets.views, 1, None),
            **{
                f"augment, {name}": (getattr(self.augment, name), 0, high)
                for name, high in (
                    ("flip", 1),
                    ("shade", 1),
                    ("blur", 1),
                    ("noise", 1),
                    ("jpeg", 1),
                    ("erase", 1),
                    ("mixup", 100),
                    ("scale", 0.9),
                    ("shift", 1),
                )
            },
        }
        for name, (value, low, high) in ranges.items():
            if value < low or (high is not None and value > high):
                limit = f"{low} to {high}" if high is not None else f"{low} or more"
                raise RecipeError(f"{name} is {value}; give {limit}")

    def to_dict(self) -> dict[str, Any]:
        """The recipe as plain data, as the card and the checkpoint hold it."""
        plain: dict[str, Any] = json.loads(json.dumps(asdict(self)))  # tuples as lists
        return plain

    @classmethod
    def from_dict(cls, raw: dict[str, Any], where: str = "recipe") -> Recipe:
        """Read a recipe from plain data; what is not given keeps its default.

        Raises:
            RecipeError: A key is unknown or a value is of the wrong kind.
        """
        return from_plain(cls, raw, RecipeError, where)

    def with_changes(self, **changes: Any) -> Recipe:
        """A copy with the given fields changed; those given as None stay."""
        return replace(self, **{k: v for k, v in changes.items() if v is not None})


def recipe_names() -> list[str]:
    """Names of the recipes that come with the package."""
    folder = resources.files("edge_fer.train.recipes")
    return sorted(
        p.name.removesuffix(".toml") for p in folder.iterdir() if p.name.endswith(".toml")
    )


def load_recipe(name: str) -> Recipe:
    """Read a recipe by name or from a file.

    Args:
        name: One of ``recipe_names()``, or a path to a ``.toml`` file.

    Raises:
        RecipeError: There is none, or it cannot be used.
    """
    if name in recipe_names():
        text = (resources.files("edge_fer.train.recipes") / f"{name}.toml").read_text("utf-8")
    else:
        try:
            text = Path(name).read_text("utf-8")
        except (OSError, UnicodeDecodeError) as e:
            raise RecipeError(
                f"recipe {name!r} is neither a readable file nor one of {', '.join(recipe_names())}"
            ) from e
    try:
        return Recipe.from_dict({"name": Path(name).stem, **tomllib.loads(text)}, name)
    except tomllib.TOMLDecodeError as e:
        raise RecipeError(f"{name}: not a TOML file ({e})") from e


def with_needed(recipe: Recipe) -> list[Recipe]:
    """A recipe and those it builds on, its teachers and its start, in the order to train them.

    Raises:
        RecipeError: One cannot be used, a recipe builds on itself, or two have one name.
    """
    order: dict[str, Recipe] = {}
    _add_needed(recipe, order, ())
    return list(order.values())


def _add_needed(recipe: Recipe, order: dict[str, Recipe], waiting: tuple[str, ...]) -> None:
    if recipe.name in waiting:
        raise RecipeError(f"recipe {recipe.name} builds on itself: {' on '.join(waiting)}")
    if order.get(recipe.name, recipe) != recipe:
        raise RecipeError(f"two recipes are called {recipe.name}; rename one: runs go by the name")
    if recipe.name not in order:
        for other in filter(None, (*recipe.targets.teachers, recipe.start)):
            _add_needed(load_recipe(other), order, (*waiting, recipe.name))
    order[recipe.name] = recipe
