from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from germane import models
from germane.component import exported
from germane.config import Config
from germane.errors import ConfigError
from germane.models import Model
from germane.search_space import Searched, held, put, searched_of, seconds_of
from germane.training import TrainingOptions


def of(search: dict[str, Any], **sections: Any) -> Config:
    return Config.of({"data": {"events": "e.csv"}, **sections, "search": search}, Path())


def test_a_space_is_read() -> None:
    said = {
        "space": {"model.width": [8, 16], "training": {"learning_rate": {"low": 1e-4, "high": 1e-2, "log": True}}, "model.length": {"choices": [3]}}
    }
    assert of(said).search.ranges() == {
        "model.width": Searched(choices=(8, 16)),
        "training.learning_rate": Searched(1e-4, 1e-2, log=True),
        "model.length": Searched(choices=(3,)),
    }


def test_every_fault_is_told_at_once() -> None:
    space: dict[str, Any] = {"data.path": ["x"], "model.blocks": [], "model.dropout": {"low": 0.5, "hi": 0.1}, "model.length": 5}
    space |= {"training.learning_rate": {"low": 0, "high": 1, "log": True}, "model.width": {"low": 9, "high": 3}}
    with pytest.raises(ConfigError) as found:
        of({"space": space, "time": "30", "trials": 0, "trails": 3})
    said = "\n".join(found.value.faults)
    assert len(found.value.faults) == 9
    for word in (
        "such as 90s",
        "greater than 0",
        "Did you mean trials?",
        "section.option",
        "nothing to choose from",
        "'hi'",
        "logarithm",
        "less than",
    ):
        assert word in said


def test_ends_have_to_be_values_that_the_option_can_have() -> None:
    with pytest.raises(ConfigError) as found:
        of({"space": {"model.widht": [3], "model.width": [0, 4], "training.learning_rate": {"low": -1, "high": 1.0}}})
    said = "\n".join(found.value.faults)
    assert len(found.value.faults) == 3 and "Did you mean width?" in said
    assert "option width = 0: should be greater" in said and "learning_rate = -1" in said


def test_members_of_a_blend_are_reached() -> None:
    blend = {"use": "Blend", "members": [{"use": "EASE"}, {"use": "Popular"}]}
    assert "model.members.0.l2" in of({"space": {"model.members.0.l2": [1.0, 9.0]}}, model=blend).search.ranges()
    with pytest.raises(ConfigError, match="there is no 7"):
        of({"space": {"model.members.7.l2": [1.0, 9.0]}}, model=blend)


@pytest.mark.parametrize("written", ["30", "m", "-1s", "0s", "1 hour", ""])
def test_a_time_needs_a_number_and_a_unit(written: str) -> None:
    with pytest.raises(ValueError, match="90s"):
        seconds_of(written)
    with pytest.raises(ConfigError):
        of({"time": written})


@pytest.mark.parametrize("name", sorted(exported(models, Model)))
def test_what_options_say_of_themselves_are_values_that_they_can_have(name: str) -> None:
    part = exported(models, Model)[name]
    for option, searched in searched_of(part.option_class).items():
        for value in searched.ends:
            part(**{option: value})
        own = part.option_class.model_fields[option].get_default()
        assert own in searched.with_own(own)


def test_training_can_be_what_its_ranges_say() -> None:
    for option, searched in searched_of(TrainingOptions).items():
        for value in searched.ends:
            TrainingOptions(**{option: value})


def test_a_range_widens_to_the_configs_own_value() -> None:
    assert Searched(0.0, 0.5).with_own(0.7) == Searched(0.0, 0.7)
    assert Searched(choices=(8, 16)).with_own(12).choices == (8, 12, 16)
    assert Searched(choices=("a",)).with_own("b").choices == ("a", "b")
    assert Searched(1e-4, 1.0, log=True).with_own(0.0) == Searched(1e-4, 1.0, log=True)  # no logarithm: it is tried first, and never again
    assert 3 in Searched(1, 5) and 2.5 not in Searched(1, 5) and True not in Searched(0, 5)


def test_places_in_a_config() -> None:
    sections: dict[str, Any] = {"model": {"members": [{"use": "EASE"}]}}
    assert held(sections, "model.members.0.use") == "EASE" and held(sections, "model.members.4.use") is None and held(sections, "a.b") is None
    with pytest.raises(ConfigError, match="holds no options"):
        put({"a": 3}, "a.b", 1)
