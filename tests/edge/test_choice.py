"""The model that keeps up."""

from edge_fer.choice import Candidate, choose_model, pick
from edge_fer.detector import open_detector
from edge_fer.models import model_names

TINY, BASE, LARGE = (
    Candidate("tiny", 0.66, 49.0),
    Candidate("base", 0.70, 65.0),
    Candidate("large", 0.72, 125.0),
)


def test_the_most_accurate_that_holds_the_rate_is_chosen():
    # At 10 frames a second 70 of 100 ms may be used.
    candidates = [BASE, LARGE, TINY]
    assert pick(candidates, 10) == BASE
    assert pick(candidates, 12) == TINY
    assert pick(candidates, 5) == LARGE


def test_the_quickest_is_chosen_where_none_holds_it():
    assert pick([BASE, LARGE, TINY], 60) == TINY
    assert not TINY.holds(60)


def test_of_one_model_the_fewest_threads_and_the_most_detections_are_chosen():
    settings = [
        Candidate("base", 0.7, 30.0, threads=2, detect_every=1),
        Candidate("base", 0.7, 40.0, threads=1, detect_every=3),
        Candidate("base", 0.7, 60.0, threads=1, detect_every=1),
    ]
    assert pick(settings, 10) == settings[2]
    assert pick(settings, 15) == settings[1]
    assert pick(settings, 20) == settings[0]


def test_a_shipped_model_is_chosen_here():
    with open_detector("blazeface") as detector:
        choice = choose_model(1.0, detector)
    assert choice.name in model_names()
    assert choice.frame_ms > 0
