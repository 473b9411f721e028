from __future__ import annotations

import inspect

import pytest

from germane import errors
from germane.errors import ConfigError, GermaneError, QueryError, nearest


def test_every_error_is_one_that_the_user_can_mend():
    for name in errors.__all__:
        error = getattr(errors, name)
        if inspect.isclass(error):
            assert issubclass(error, GermaneError) and error.exit_code == 2
            assert inspect.getdoc(error)
    defined = {n for n, value in vars(errors).items() if inspect.isclass(value) and issubclass(value, Exception)}
    assert defined <= set(errors.__all__)


def test_config_error_holds_every_fault():
    error = ConfigError(["first", "second"])
    assert error.faults == ("first", "second")
    assert str(error) == "first\nsecond"
    assert ConfigError("only").faults == ("only",)


def test_query_error_names_the_key():
    error = QueryError("no.", "context")
    assert (str(error), error.field) == ("no.", "context")
    assert QueryError("no.").field is None


@pytest.mark.parametrize(
    ("word", "hint"),
    [("wether", " Did you mean weather?"), ("WEATHER", " Did you mean weather?"), ("devise", " Did you mean device?"), ("zzz", ""), ("", "")],
)
def test_nearest(word, hint):
    assert nearest(word, ["weather", "device"]) == hint


def test_nearest_keeps_the_spelling_and_takes_any_type():
    assert nearest("twotower", ["TwoTower", "Popular"]) == " Did you mean TwoTower?"
    assert nearest(2025, [2026, 1999]) == " Did you mean 2026?"
    assert nearest("x", []) == ""
    assert nearest("wether", ["weather"], "Perhaps {}.") == " Perhaps weather."
