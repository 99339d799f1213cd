"""The page that can be sent to somebody."""

import re
from dataclasses import replace
from html.parser import HTMLParser

import pytest

from edge_fer.benchmarks.charts import Point, pareto, scatter
from edge_fer.benchmarks.report import page, target_words, warnings
from edge_fer.benchmarks.results import Conditions, Target


class _Page(HTMLParser):
    def __init__(self, text):
        super().__init__()
        self.open, self.texts, self.attributes = [], [], []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag, attrs):
        self.attributes += attrs
        if tag not in ("html", "meta"):
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.attributes += attrs

    def handle_endtag(self, tag):
        if tag != "html":
            assert self.open.pop() == tag

    def handle_data(self, data):
        self.texts.append(data)


def test_the_page_is_whole_and_needs_nothing_else(benchmark_of):
    text = page(benchmark_of())
    seen = _Page(text)
    assert seen.open == []
    assert not {name for name, _ in seen.attributes} & {"src", "href", "srcset", "onload"}
    assert not re.search(r"https?:|url\(|@import|<script|<link", text)
    headings = " ".join(seen.texts)
    for words in (
        "Accuracy against latency",
        "Where a frame's time goes",
        "Float against quantized",
        "How much of the processor is used",
        "More threads",
        "Several faces at once",
        "Step by step",
        "The machine",
        "The method",
        "61.5 °C at most",
        "not XNNPACK",
    ):
        assert words in headings


def test_names_cannot_break_the_page(benchmark_of, model_of):
    evil = '<b onclick="x">&'
    text = page(benchmark_of((model_of(evil, 1.0),)))
    seen = _Page(text)
    assert evil in " ".join(seen.texts)
    assert "onclick" not in {name for name, _ in seen.attributes}
    assert "Toy <1>" in " ".join(seen.texts)


def test_what_was_not_measured_is_left_out(benchmark_of, model_of):
    model = model_of("bare", 1.0)
    cell = replace(model.cells[0], batches=())
    bare = replace(model, cells=(cell,), scores=(), operators=())
    text = page(benchmark_of((bare,)))
    for words in ("Accuracy against", "Float against", "More threads", "Several", "Step by step"):
        assert words not in text


def test_doubts_are_told(benchmark_of, model_of):
    assert warnings(benchmark_of()) == []
    model = replace(model_of("m", 1.0), not_delegated=("ABS", "ABS"))
    pipeline = replace(model.cells[0].pipelines[0], found=0)
    cell = replace(model.cells[0], pipelines=(pipeline,))
    benchmark = benchmark_of(
        (replace(model, cells=(cell,)),),
        conditions=Conditions(throttled=("under-voltage",)),
        machine={"cores": 4, "load": 3.5},
    )
    words = " ".join(warnings(benchmark))
    for part in ("busy", "under-voltage", "does not run ABS;", "did not find every face"):
        assert part in words


def test_the_choice_is_a_sentence(benchmark_of):
    target = Target(30, True, "small", 2, 3, 12.34, "ferplus", 0.8)
    words = target_words(benchmark_of(target=target))
    assert "--model small --threads 2 --detect-every 3" in words
    assert "taggers" in words
    assert "not reached" in target_words(benchmark_of(target=replace(target, reached=False)))


@pytest.mark.parametrize("count", [1, 2, 12])
def test_the_front_is_what_nothing_beats(count):
    points = [
        Point(1 + i, (7 * i) % 5, (7 * i) % 5, (7 * i) % 5, f"m{i}", "") for i in range(count)
    ]
    front = pareto(points)
    for point in points:
        beaten = any(o.x <= point.x and o.y >= point.y and o != point for o in points)
        assert (point in front) == (not beaten)
    assert "<svg" in scatter(points, "x", "y", "title")
