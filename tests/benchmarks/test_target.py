"""The model and the settings that hold a frame rate."""

from edge_fer.benchmarks.target import choose
from edge_fer.card import Card
from edge_fer.choice import card_accuracies


def _card(name, **accuracies):
    metrics = {truth: {"public": {"accuracy": value}} for truth, value in accuracies.items()}
    return Card(name=name, labels=("happy", "sad"), metrics=metrics)


def _cards(**by_name):
    return {name: _card(name, **accuracies) for name, accuracies in by_name.items()}


def test_settings_are_found_that_hold_the_rate(benchmark_of, model_of):
    # Frames of two faces take 4 + 4 ms of the network; with two threads 0.6 of that, and where the
    # detector runs every third frame a third. 70 % of a frame's time may be used.
    models = (model_of("small", 1.0), model_of("large", 9.0))
    cards = _cards(small={"fer2013": 0.66}, large={"fer2013": 0.7})
    chosen = {fps: choose(benchmark_of(models), cards, fps) for fps in (10, 20, 40, 80, 150, 1000)}
    settings = {f: (t.model, t.threads, t.detect_every, t.reached) for f, t in chosen.items()}
    assert settings == {
        10: ("large", 1, 1, True),
        20: ("large", 1, 3, True),
        40: ("large", 1, 3, True),
        80: ("large", 2, 3, True),
        150: ("small", 1, 3, True),
        1000: ("small", 2, 3, False),
    }
    assert chosen[10].truth == "fer2013"
    assert chosen[10].accuracy == 0.7


def test_models_are_ranked_by_what_people_see_where_all_cards_tell_it():
    cards = _cards(a={"fer2013": 0.7, "ferplus": 0.8}, b={"fer2013": 0.68, "ferplus": 0.83})
    assert card_accuracies(cards) == ("ferplus", {"a": 0.8, "b": 0.83})
    cards["b"] = _card("b", fer2013=0.68)
    assert card_accuracies(cards) == ("fer2013", {"a": 0.7, "b": 0.68})
    assert card_accuracies({"c": _card("c")}) == ("fer2013", {"c": 0.0})
