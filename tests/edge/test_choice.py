"""The model that keeps up."""

from edge_fer.choice import Candidate, choose_model, pick
from edge_fer.detector import open_detector
from edge_fer.models import model_names

TINY, BASE, LARGE = (
    Candidate("tiny", 0.66, 2.0),
    Candidate("base", 0.70, 10.0),
    Candidate("large", 0.72, 40.0),
)


def test_the_most_accurate_that_holds_the_rate_is_chosen():
    # At 10 frames a second 70 of 100 ms may be used; two faces a frame.
    candidates = [BASE, LARGE, TINY]
    assert pick(candidates, 10, detector_ms=45) == BASE
    assert pick(candidates, 10, detector_ms=55) == TINY
    assert pick(candidates, 5, detector_ms=45) == LARGE


def test_the_quickest_is_chosen_where_none_holds_it():
    assert pick([BASE, LARGE, TINY], 60, detector_ms=50) == TINY


def test_a_shipped_model_is_chosen_here():
    with open_detector("blazeface") as detector:
        choice = choose_model(1.0, detector)
    assert choice.name in model_names()
    assert choice.milliseconds > 0
