from __future__ import annotations

from pathlib import Path

import polars as pl
import pytest

from germane.data import Dataset, LeaveLastOut, Split
from germane.errors import ConfigError
from germane.jobs.unlabelled import paired_texts, texts_of
from germane.training.pretraining import PretrainingOptions

ITEMS = [f"i{n}" for n in range(6)]


def shop(words: bool = True, texts: bool = True, **rules: int) -> tuple[Dataset, Split]:
    rows = [(user, f"i{place}", place, f"want {place}" if place != 1 else " ") for user in ("a", "b") for place in range(5)]
    events = pl.DataFrame(rows, schema=["user", "item", "time", "typed"], orient="row")
    items = pl.DataFrame({"item": ITEMS, "title": ["zero", "one", "two", "three", "four", "one"]})
    columns = {"time": "time", **({"words": "typed"} if words else {}), **({"text": ["title"]} if texts else {})}
    dataset = Dataset.from_frames(events, items, columns=columns, rules=rules)
    return dataset, LeaveLastOut().divide(dataset)


def said(texts: list[str], pairs: object) -> set[tuple[str, str]]:
    return {(texts[one], texts[other]) for one, other in pairs}  # type: ignore[attr-defined]


def test_texts_are_those_of_items_and_of_training_events() -> None:
    """Users' last two events, of the items 3 and 4, are held out: their words are not read, the items' texts are."""
    assert texts_of(PretrainingOptions(), Path(), *shop()) == ["zero", "one", "two", "three", "four", "want 0", "want 2"]


def test_items_that_are_held_out_are_not_read() -> None:
    import zlib

    later = [n for n in range(6) if zlib.crc32(f"i{n}".encode()) % 3 == 0]
    found = texts_of(PretrainingOptions(), Path(), *shop(words=False, hold_out_items=3))
    titles = ["zero", "one", "two", "three", "four", "one"]
    assert later and found == list(dict.fromkeys(title for n, title in enumerate(titles) if n not in later))


def test_pairs_are_of_training_events_only() -> None:
    found = paired_texts(PretrainingOptions(pairs=("next_item", "words", "views")), Path(), *shop())
    texts = list(found.texts)
    assert said(texts, found.pairs["next_item"]) == {("zero", "one"), ("one", "two")} and len(found.pairs["next_item"]) == 4
    assert said(texts, found.pairs["words"]) == {("want 0", "zero"), ("want 2", "two")}
    assert said(texts, found.pairs["views"]) == {(text, text) for text in texts}


def test_pairs_stand_behind_the_prefix_of_their_role(tmp_path: Path) -> None:
    given, roles = PretrainingOptions(pairs=("next_item", "words", "views")), ("passage: ", "query: ")
    found = paired_texts(given, Path(), *shop(), *roles)
    texts = list(found.texts)
    assert texts == [*(f"passage: {word}" for word in ("zero", "one", "two", "three", "four")), "query: want 0", "query: want 2"]
    assert [text[:length] for text, length in zip(texts, found.prefixed, strict=True)] == ["passage: "] * 5 + ["query: "] * 2
    bare = paired_texts(given, Path(), *shop())
    assert {kind: pairs.tolist() for kind, pairs in found.pairs.items()} == {kind: pairs.tolist() for kind, pairs in bare.pairs.items()}
    assert texts_of(given, Path(), *shop()) == list(bare.texts)
    (tmp_path / "c.txt").write_text("rain\n")
    corpus = paired_texts(PretrainingOptions(corpus="c.txt"), tmp_path, None, None, *roles)
    assert (list(corpus.texts), list(corpus.prefixed)) == (["passage: rain"], [9])


def test_the_same_text_typed_and_of_an_item_is_two_texts_behind_prefixes() -> None:
    events = pl.DataFrame({"user": ["a"] * 4 + ["b"] * 4, "item": ["i0", "i1"] * 4, "time": range(8), "typed": ["zero"] * 8})
    items = pl.DataFrame({"item": ["i0", "i1"], "title": ["zero", "one"]})
    dataset = Dataset.from_frames(events, items, columns={"time": "time", "words": "typed", "text": ["title"]})
    found = paired_texts(PretrainingOptions(pairs=("words",)), Path(), dataset, LeaveLastOut().divide(dataset), "passage: ", "query: ")
    assert ("query: zero", "passage: zero") in said(list(found.texts), found.pairs["words"])


def test_absent_pairs_are_those_that_the_data_have() -> None:
    both, next_item = (paired_texts(PretrainingOptions(), Path(), *shop(words=words)) for words in (True, False))
    assert list(both.pairs) == ["next_item", "words"] and list(next_item.pairs) == ["next_item"]


def test_a_corpus_has_views(tmp_path: Path) -> None:
    (tmp_path / "c.txt").write_text("rain\nsun\nrain\n")
    found = paired_texts(PretrainingOptions(corpus="c.txt"), tmp_path, None, None)
    assert list(found.texts) == ["rain", "sun"] and list(found.pairs) == ["views"]


def test_what_is_not_there_is_told() -> None:
    with pytest.raises(ConfigError, match="asks for words, and the training events have none; there are next_item, views"):
        paired_texts(PretrainingOptions(pairs=("words",)), Path(), *shop(words=False))
    with pytest.raises(ConfigError, match=r"there are no texts: name them in \[data\.columns\] text"):
        texts_of(PretrainingOptions(), Path(), *shop(words=False, texts=False))
