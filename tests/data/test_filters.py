from __future__ import annotations

from datetime import datetime
from typing import Any

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from germane.data.filters import parse
from germane.errors import QueryError

ITEMS = pl.DataFrame(
    {
        "id": ["a", "b", "c", "d"],
        "genres": [["Comedy"], ["Drama", "War"], None, ["War"]],
        "year": [1995, 1999, None, 2001],
        "price": [1.5, 2.0, 3.0, None],
        "land": ["no", "fr", None, "fr"],
        "new": [True, False, None, True],
        "since": [datetime(2026, 5, day) for day in (1, 2, 3, 4)],
    }
)
YES = dict(zip("abcd", range(4)))


def passing(given: Any) -> str:
    return "".join(name for name, yes in zip("abcd", parse(given, ITEMS).mask(ITEMS)) if yes)


@pytest.mark.parametrize(
    ("given", "names"),
    [
        ({"eq": ["land", "fr"]}, "bd"),
        ({"eq": ["genres", "War"]}, "bd"),
        ({"in": ["genres", ["Comedy", "War"]]}, "abd"),
        ({"in": ["year", [1995, 2001.0, "1999"]]}, "abd"),
        ({"in": ["land", []]}, ""),
        ({"in": ["year", []]}, ""),
        ({"in": ["since", []]}, ""),
        ({"in": ["genres", []]}, ""),
        ({"eq": ["new", True]}, "ad"),
        ({"eq": ["id", "c"]}, "c"),
        ({"eq": ["land", None]}, "c"),
        ({"in": ["land", ["no", None]]}, "ac"),
        ({"eq": ["genres", None]}, "c"),
        ({"range": ["year", 1999, None]}, "bd"),
        ({"range": ["year", None, 1999]}, "ab"),
        ({"range": ["year", 1999, 1999]}, "b"),
        ({"range": ["year", None, None]}, "abd"),
        ({"range": ["since", "2026-05-02", "2026-05-03"]}, "bc"),
        ({"eq": ["since", "2026-05-04"]}, "d"),
        ({"not": {"eq": ["land", "fr"]}}, "ac"),
        ({"and": [{"eq": ["land", "fr"]}, {"range": ["year", 2000, None]}]}, "d"),
        ({"or": [{"eq": ["land", "no"]}, {"eq": ["genres", "Drama"]}]}, "ab"),
    ],
)
def test_known_answers(given: Any, names: str) -> None:
    assert passing(given) == names


leaves = st.sampled_from([{"eq": ["land", "fr"]}, {"eq": ["genres", "War"]}, {"range": ["year", 1996, None]}, {"in": ["price", [1.5, 3]]}])
trees = st.recursive(
    leaves,
    lambda inside: st.one_of(
        st.builds(lambda f: {"not": f}, inside),
        st.dictionaries(st.sampled_from(["and", "or"]), st.lists(inside, min_size=1, max_size=3), min_size=1, max_size=1),
    ),
)


@settings(max_examples=100, deadline=None)
@given(trees)
def test_filters_compose_as_sets_do(tree: dict[str, Any]) -> None:
    def names(f: dict[str, Any]) -> set[str]:
        if "not" in f:
            return set("abcd") - names(f["not"])
        if "and" in f:
            return set.intersection(*map(names, f["and"]))
        if "or" in f:
            return set.union(*map(names, f["or"]))
        return set(passing(f))

    assert set(passing(tree)) == names(tree)


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"eq": ["lnd", "fr"]}, "'lnd' is not in the catalogue.*Did you mean land"),
        ({"eqq": ["land", "fr"]}, "Did you mean eq"),
        ({"eq": ["land"]}, "filter 'eq' got"),
        ({"eq": [["land"], 1]}, "filter 'eq' got"),
        ({"in": ["land", "fr"]}, "needs a list of values"),
        ({"eq": ["land", ["fr"]]}, "give a single value"),
        ({"range": ["land", 1, 2]}, "'land' holds text"),
        ({"range": ["genres", 1, 2]}, "several values"),
        ({"range": ["year", "x", None]}, "is neither"),
        ({"range": ["year", float("nan"), None]}, "finite"),
        ({"range": ["since", "soon", None]}, "is neither"),
        ({"range": ["since", -9e10, None]}, "years 1 to 9999"),
        ({"eq": ["since", 10**400]}, "is neither"),
        ({"eq": ["year", 10**400]}, "finite number"),
        ({"in": ["price", [1.5, -(10**400)]]}, "finite number"),
        ({"and": []}, "needs a list"),
        ({"and": {"eq": ["land", "fr"]}}, "needs a list"),
        ({"eq": ["land", "fr"], "not": {}}, "is not one of"),
        ({}, "is not one of"),
        ([], "is not one of"),
        ({1: 2}, "is not one of"),
    ],
)
def test_malformed_filters_are_query_errors(given: Any, said: str) -> None:
    with pytest.raises(QueryError, match=said) as caught:
        parse(given, ITEMS)
    assert caught.value.field == "filter"


def test_a_tower_of_nots_is_refused() -> None:
    tower: dict[str, Any] = {"eq": ["land", "fr"]}
    for _ in range(5000):
        tower = {"not": tower}
    with pytest.raises(QueryError, match="nested"):
        parse(tower, ITEMS)
