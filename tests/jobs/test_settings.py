from __future__ import annotations

from germane.jobs.settings import defaults, differing


def test_defaults_are_those_of_the_part_that_is_named() -> None:
    assert defaults({"model": {"use": "SASRec"}})["model.width"] != defaults({"model": {"use": "NoSuch"}}).get("model.width")
    assert defaults({})["model.use"] == "ContextTransformer" and defaults({})["split.use"] == "LeaveLastOut"
    assert "text.model" not in defaults({}), "without the section there may be no texts"


def test_what_equals_its_default_does_not_differ() -> None:
    said = {"model": {"use": "ContextTransformer"}, "evaluation": {"k": [10]}, "split": {"use": "ByTime"}, "tracking": {"every": 5}}
    assert differing(said) == {"split.use": "ByTime"}
    assert differing({"model": {"use": "mine.models:Mine", "depth": 3}}) == {"model.use": "mine.models:Mine", "model.depth": 3}
