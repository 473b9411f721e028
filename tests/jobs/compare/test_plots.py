from __future__ import annotations

from xml.etree import ElementTree

from germane.jobs.compare.plots import SHAPES, intervals, lines, marker, ticks


def test_intervals_lie_where_their_figures_are() -> None:
    figures = [{"value": 0.5, "low": 0.25, "high": 1.0}, None, {"value": 1.0, "low": None, "high": None}]
    drawn = ElementTree.fromstring(intervals([("all <items>", figures)], "a plot"))
    bar = next(line for line in drawn.iter("line") if line.get("class") == "line-1")
    low, high = float(bar.get("x1", 0)), float(bar.get("x2", 0))
    dot = next(drawn.iter("circle"))
    assert float(dot.get("cx", 0)) == low + (high - low) / 3 or abs(float(dot.get("cx", 0)) - (low + (high - low) / 3)) < 0.11
    assert drawn.get("role") == "img" and "all <items>" in [text.text for text in drawn.iter("text")]
    assert [element for element in drawn.iter() if element.get("class", "").endswith("-2")] == []


def test_lines_run_from_the_first_to_the_last_epoch() -> None:
    drawn = ElementTree.fromstring(lines([[(1, 3.0), (2, 2.0), (3, 1.0)], [], [(1, 2.5)]], "losses", "epoch"))
    path = next(drawn.iter("polyline")).get("points", "").split()
    xs, ys = zip(*(map(float, point.split(",")) for point in path), strict=True)
    assert list(xs) == sorted(xs) and list(ys) == sorted(ys), "a loss that falls goes down on the page"
    assert len(list(drawn.iter("polyline"))) == 1 and len([e for e in drawn.iter() if e.get("class") == "fill-3"]) == 1


def test_equal_figures_and_single_points_are_drawn() -> None:
    assert "nan" not in intervals([("all", [{"value": 0.0, "low": 0.0, "high": 0.0}])], "zero") + lines([[(1, 0.0)]], "one", "epoch")
    assert ticks(1.0, 1.0) == [1.0]


def test_each_run_has_a_shape_of_its_own() -> None:
    import re

    shapes = {re.sub(r"-\d|class=\"[a-z]+\" ", "", marker(place, 0, 0)) for place in range(len(SHAPES))}
    assert len(shapes) == len(SHAPES)
