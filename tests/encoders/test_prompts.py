from __future__ import annotations

from datetime import date

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from germane.encoders import prompts
from germane.errors import ConfigError


def one(template: str | None, **values: object) -> str:
    frame = pl.DataFrame({name: [value] for name, value in values.items()})
    return prompts(frame, template, list(values), {"genres": "|"})[0]


@pytest.mark.parametrize(
    ("values", "text"),
    [
        ({"title": "Heat", "genres": "Crime|Drama"}, "Heat. Crime, Drama."),
        ({"title": "Heat", "genres": None}, "Heat."),
        ({"title": None, "genres": "Crime"}, "Crime."),
        ({"title": "", "genres": "  "}, ""),
        ({"title": "What?", "genres": "Crime"}, "What? Crime."),
        ({"title": "Mr.", "genres": None}, "Mr."),
        ({"title": "Heat", "genres": "Crime||Drama|"}, "Heat. Crime, Drama."),
        ({"title": " Heat \n II ", "genres": ["Crime", None, "Drama"]}, "Heat II. Crime, Drama."),
        ({"title": 12.0, "genres": float("nan")}, "12."),
        ({"title": 7, "genres": True}, "7. True."),
        ({"title": date(1995, 3, 1), "genres": []}, "1995-03-01."),
    ],
)
def test_what_surrounds_a_missing_value_goes_with_it(values: dict[str, object], text: str) -> None:
    assert one("{title}. {genres}.", **values) == text


@pytest.mark.parametrize(
    ("values", "text"),
    [
        ({"title": "Heat", "year": 1995, "by": "Mann"}, "Film: Heat (1995) by Mann."),
        ({"title": "Heat", "year": None, "by": "Mann"}, "Film: Heat by Mann."),
        ({"title": "Heat", "year": 1995, "by": None}, "Film: Heat (1995)."),
        ({"title": "Heat", "year": None, "by": None}, "Film: Heat."),
        ({"title": None, "year": None, "by": None}, ""),
    ],
)
def test_brackets_and_words_of_a_missing_value(values: dict[str, object], text: str) -> None:
    assert one("Film: {title} ({year}) by {by}.", **values) == text


def test_without_a_template_the_text_columns_are_joined() -> None:
    assert one(None, title="Heat", genres="Crime|Drama") == "Heat. Crime, Drama"
    assert one(None, title="What?", genres="Crime") == "What? Crime"
    assert one(None, title=None, genres="Crime") == "Crime"


def test_without_columns_every_text_is_empty() -> None:
    assert prompts(pl.DataFrame({"id": ["a", "b"]}), None, [], {}) == ["", ""]


def test_short_floats_stay_short() -> None:
    assert prompts(pl.DataFrame({"stars": pl.Series([3.7, 4.0], dtype=pl.Float32)}), None, ["stars"], {}) == ["3.7", "4"]


def test_unknown_columns_are_named_all_at_once() -> None:
    with pytest.raises(ConfigError) as error:
        one("{titel}. {gnres}.", title="Heat", genres="Crime")
    assert len(error.value.faults) == 2
    assert "'titel'; the items have title, genres. Did you mean title?" in error.value.faults[0]
    with pytest.raises(ConfigError, match=r"\[data.columns\] text names the column 'x'"):
        prompts(pl.DataFrame({"id": ["a"]}), None, ["x"], {})


@pytest.mark.parametrize(
    ("template", "says"), [("{title", "lone brace"), ("title}", "lone brace"), ("A film.", "names no column"), ("", "names no column")]
)
def test_templates_that_mean_nothing(template: str, says: str) -> None:
    with pytest.raises(ConfigError, match=says):
        one(template, title="Heat")


@given(st.lists(st.one_of(st.none(), st.text("ab. ?", max_size=5)), min_size=3, max_size=3))
def test_a_text_is_tidy_whatever_is_missing(values: list[str | None]) -> None:
    text = one("{a}. {b} ({c}).", **dict(zip("abc", values)))
    assert text == " ".join(text.split())
    assert "()" not in text and text.count("(") == text.count(")")
    assert bool(text) == any(value and value.strip() for value in values)
