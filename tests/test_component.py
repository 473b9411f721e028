from __future__ import annotations

import json
from abc import abstractmethod
from types import ModuleType
from typing import Literal

import pytest
from pydantic import Field, ValidationError, field_validator

from germane import policies, worlds
from germane.component import Component, Options, build, exported, find
from germane.errors import ConfigError
from germane.policies import EpsilonGreedy, Greedy, PlackettLuce, Policy
from germane.worlds import World


class Glaze(Options):
    colour: Literal["white", "blue"] = "white"
    shine: float = Field(default=0.5, ge=0, le=1)


class PotOptions(Options):
    width: int = Field(default=8, ge=1)
    """How wide it is."""
    clay: str | None = None
    glaze: Glaze = Glaze()

    @field_validator("width")
    @classmethod
    def _even(cls, value: int) -> int:
        if value % 2:
            raise ValueError("should be even")
        return value


class Pot(Component):
    options: PotOptions


class TallPot(Pot):
    """Has its parent's options."""


class NeedsOptions(Options):
    size: int


class Needs(Component):
    options: NeedsOptions


class Abstract(Component):
    @abstractmethod
    def work(self): ...


def test_options_are_given_checked_and_shown():
    pot = Pot(width=4, glaze={"colour": "blue"})
    assert pot.options == PotOptions(width=4, glaze=Glaze(colour="blue"))
    assert pot.settings() == {"width": 4, "glaze": {"colour": "blue"}}
    assert repr(Pot(width=4)) == "Pot(width=4)"
    assert repr(Pot()) == "Pot()"


def test_settings_make_the_part_again():
    pot = Pot(width=2, clay="red", glaze={"shine": 0.25})
    assert Pot.from_options(json.loads(json.dumps(pot.settings()))).options == pot.options


def test_a_part_without_options_has_none():
    assert Greedy().settings() == {}
    assert type(Greedy().options) is Options


def test_subclasses_inherit_options():
    assert TallPot(width=6).options.width == 6


def test_parts_defined_inside_a_function():
    class LidOptions(Options):
        knob: bool = True

    class Lid(Component):
        options: LidOptions

    assert Lid(knob=False).settings() == {"knob": False}


def test_options_are_frozen_and_keep_their_docstrings():
    with pytest.raises(ValidationError, match="frozen"):
        Pot().options.width = 3
    assert PotOptions.model_fields["width"].description == "How wide it is."


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        ({"widht": 4}, r"Pot has no option 'widht'; its options are width, clay, glaze\. Did you mean width\?"),
        ({"zzz": 4}, r"Pot has no option 'zzz'; its options are width, clay, glaze\.$"),
        ({"glaze": {"color": "blue"}}, r"Pot has no option 'glaze\.color'; its options are colour, shine\. Did you mean colour\?"),
        ({"width": 0}, r"Pot option width = 0: should be greater than or equal to 1\."),
        ({"width": 3}, r"Pot option width = 3: should be even\."),
        ({"width": "wide"}, r"Pot option width = 'wide': should be a valid integer"),
        ({"glaze": {"shine": float("nan")}}, r"Pot option glaze\.shine = nan: should be a finite number\."),
        ({"glaze": {"colour": "red"}}, r"Pot option glaze\.colour = 'red': should be 'white' or 'blue'\."),
    ],
)
def test_each_fault_is_one_sentence(given, sentence):
    with pytest.raises(ConfigError, match=sentence) as caught:
        Pot(**given)
    assert len(caught.value.faults) == 1
    assert caught.value.__cause__ is None and "pydantic" not in str(caught.value)


def test_all_faults_at_once():
    with pytest.raises(ConfigError) as caught:
        Pot(width=0, widht=1, glaze={"shine": 2})
    assert len(caught.value.faults) == 3


def test_a_missing_option_is_named():
    with pytest.raises(ConfigError, match="Needs needs the option 'size'"):
        Needs()


def test_exported_leaves_out_what_is_no_part():
    assert exported(policies, Policy) == {"EpsilonGreedy": EpsilonGreedy, "Greedy": Greedy, "PlackettLuce": PlackettLuce}
    assert set(exported(worlds, World)) == {"Checkerboard", "MomentWorld"}
    shelf = ModuleType("shelf")
    shelf.__all__, shelf.Pot, shelf.Options, shelf.number = ["Pot", "Options", "number"], Pot, Options, 3
    assert exported(shelf, Component) == {"Pot": Pot}


def test_find():
    assert find("Greedy", policies, Policy, "[policy]") is Greedy
    assert find("germane.policies:Greedy", policies, Policy, "[policy]") is Greedy


@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        ("Gredy", r"\[policy\] use = 'Gredy': choose from EpsilonGreedy, Greedy, PlackettLuce, or module:Class\. Did you mean Greedy\?"),
        ("Policy", "choose from"),
        ("Scored", "choose from"),
        ("no_such_module:Mine", "No module named 'no_such_module'"),
        ("germane.policies:Mine", "has no attribute 'Mine'"),
        ("germane.types:Query", "is not a Policy"),
        ("germane.policies:base", "is not a Policy"),
        (":Mine", "Write module:Class"),
        (".policies:Mine", "Write module:Class"),
    ],
)
def test_what_cannot_be_found(name, sentence):
    with pytest.raises(ConfigError, match=sentence):
        find(name, policies, Policy, "[policy]")


def test_build():
    section = {"use": "PlackettLuce", "temperature": 0.5}
    assert build(section, policies, Policy, "[policy]").settings() == {"temperature": 0.5}
    assert section == {"use": "PlackettLuce", "temperature": 0.5}
    assert isinstance(build({}, policies, Policy, "[policy]", default="Greedy"), Greedy)


@pytest.mark.parametrize(
    ("section", "sentence"),
    [
        ({}, r"\[policy\] needs use = one of EpsilonGreedy, Greedy, PlackettLuce\."),
        ({"use": 3}, r"\[policy\] needs use"),
        ({"use": "EpsilonGreedy", "epsilom": 0.1}, r"\[policy\] EpsilonGreedy has no option 'epsilom'.* Did you mean epsilon\?"),
        ({"use": "EpsilonGreedy", "epsilon": 2}, r"\[policy\] EpsilonGreedy option epsilon = 2: should be less than or equal to 1\."),
    ],
)
def test_what_cannot_be_built(section, sentence):
    with pytest.raises(ConfigError, match=sentence):
        build(section, policies, Policy, "[policy]")
