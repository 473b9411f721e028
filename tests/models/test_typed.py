from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import polars as pl
import pytest
import torch

from germane.bundle import load, save
from germane.data import Dataset, LeaveLastOut
from germane.encoders import HashedText, word_codes
from germane.evaluation import VARIANTS, EvaluationOptions, cases_of
from germane.jobs.train import fit, judge
from germane.models import ContextTransformer
from germane.models.context.typed import WordTower
from germane.recommender import Recommender
from germane.testing.model_contract import small_shop
from germane.training import TrainingOptions
from germane.types import Query

SMALL = {"width": 16, "blocks": 1, "length": 10, "text_width": 8, "dropout": 0.0}
SHORT = TrainingOptions(epochs=3, batch=8, warmup=5, learning_rate=1e-2)


def test_a_word_that_was_never_typed_is_read_by_its_meaning_alone() -> None:
    torch.manual_seed(0)
    tower = WordTower(4, 8, 1, identity_dropout=0.5)
    z, codes = torch.randn(3, 4), word_codes(["hip hop", "rock", ""])
    torch.testing.assert_close(tower(z, codes), tower.meaning(z))
    optimiser = torch.optim.SGD(tower.parameters(), 1.0)
    tower(z[:1], codes[:1]).sum().backward()
    optimiser.step()
    tower.eval()
    moved = tower(z, codes) - tower.meaning(z)
    assert moved[0].any() and not moved[1].any() and not moved[2].any()
    assert not tower.identity.weight[0].any()  # type: ignore[union-attr]


def codewords(typed: bool = True) -> Dataset:
    """What is typed decides, and only by heart: the words share nothing with the items' texts, and histories say nothing."""
    drawn = np.random.default_rng(0).integers(0, 40, 2400)
    rows = [(f"u{n % 60}", f"i{item}", f"2026-01-01T00:{n // 60:02d}:{n % 60:02d}", f"x{item}y") for n, item in enumerate(drawn)]
    events = pl.DataFrame(rows, schema=["user", "item", "time", "words"], orient="row")
    items = pl.DataFrame({"item": [f"i{n}" for n in range(40)], "title": [f"thing {n % 7}" for n in range(40)]})
    columns = {"time": "time", "text": ["title"], **({"words": "words"} if typed else {})}
    return Dataset.from_frames(events if typed else events.drop("words"), items, columns=columns)


def test_words_learned_by_heart_find_what_they_were_typed_for() -> None:
    dataset = codewords()
    found = {}
    for identity in (True, False):
        model = ContextTransformer(**SMALL, word_identity=identity, identity_dropout=0.0)
        recommender = Recommender(model, text=HashedText(width=4, ngrams=0), exclude_seen=False)
        split = LeaveLastOut().divide(dataset)
        fit(recommender, dataset, split, SHORT.model_copy(update={"epochs": 8, "patience": 8}))
        found[identity] = judge(recommender, dataset, split, EvaluationOptions(exclude_seen=False)).value()
    assert found[True] > 0.9
    assert found[False] < 0.8


def test_live_words_are_those_of_training() -> None:
    dataset = codewords()
    recommender = Recommender(ContextTransformer(**SMALL), text=HashedText(width=8))
    recommender.prepare(dataset)
    table = recommender.table(dataset)
    row = 7
    own = table.words[torch.from_numpy(table.word_rows[[row]])]
    live = recommender.batch([Query(user="u1", words=dataset.events["words"][row])]).words
    assert torch.equal(own.codes, live.codes)
    torch.testing.assert_close(own.vectors, live.vectors)
    silent = recommender.batch([Query(user="u1")]).words
    assert not silent.codes.any() and not silent.typed.any()


def test_word_identities_only_where_events_hold_words() -> None:
    for typed in (True, False):
        recommender = Recommender(ContextTransformer(**SMALL), text=HashedText(width=8))
        recommender.prepare(codewords(typed))
        assert (recommender.model.words.identity is not None) is typed  # type: ignore[union-attr]
    shop = small_shop()
    recommender = Recommender(ContextTransformer(**SMALL, words=False), text=HashedText(width=8))
    recommender.prepare(shop)
    assert recommender.model.words is None  # type: ignore[union-attr]


@pytest.mark.parametrize(("texts", "rows"), [(0, 257), (100, 513), (1 << 15, (1 << 16) + 1)])
def test_room_for_words_goes_by_what_was_typed(texts: int, rows: int) -> None:
    tower = WordTower(2, 2, texts, identity_dropout=0.0)
    assert tower.identity is not None and tower.identity.num_embeddings == rows


def test_a_run_keeps_words_learned_by_heart(tmp_path: Path) -> None:
    dataset = codewords()
    recommender = Recommender(ContextTransformer(**SMALL), text=HashedText(width=8))
    fit(recommender, dataset, LeaveLastOut().divide(dataset), SHORT.model_copy(update={"epochs": 1}))
    save(recommender, tmp_path / "run")
    again = load(tmp_path / "run")
    table, kept = recommender.model.words.identity.weight, again.model.words.identity.weight  # type: ignore[union-attr]
    assert table.any() and torch.equal(table, kept)
    asked = [Query(user="u1", words="x3y")]
    with torch.inference_mode():
        torch.testing.assert_close(again.model.score(again.batch(asked)), recommender.model.score(recommender.batch(asked)))


def typing() -> Dataset:
    """Twelve users type what they want by name, one of them something that nobody else does."""
    names = ["ambient", "metal", "comedy", "romance"]
    drawn = np.random.default_rng(1).integers(0, 4, 240)
    rows = [(f"u{n % 12}", f"i{item}", f"2026-01-01T00:{n // 60:02d}:{n % 60:02d}", names[item]) for n, item in enumerate(drawn)]
    rows += [("u1", "i0", f"2026-01-02T00:00:{n:02d}", "Mrs Kowalska") for n in range(3)]
    events = pl.DataFrame(rows, schema=["user", "item", "time", "words"], orient="row")
    items = pl.DataFrame({"item": [f"i{n}" for n in range(4)], "title": ["quiet", "noisy", "funny", "tender"]})
    return Dataset.from_frames(events, items, columns={"time": "time", "text": ["title"], "words": "words"})


@pytest.fixture(scope="module")
def asked_by_name() -> tuple[Dataset, Recommender]:
    dataset = typing()
    recommender = Recommender(ContextTransformer(**SMALL), text=HashedText(width=16, ngrams=0), exclude_seen=False)
    fit(recommender, dataset, LeaveLastOut().divide(dataset), SHORT)
    recommender.remember(dataset)
    return dataset, recommender


def told(recommender: Recommender, words: str) -> str:
    """What an answer says of how words were read."""
    return " ".join(note.detail for note in recommender.recommend(Query(words=words), 2).notes)


def test_a_slip_gets_the_list_of_the_word_and_is_told(asked_by_name: tuple[Dataset, Recommender], tmp_path: Path) -> None:
    _, recommender = asked_by_name
    save(recommender, tmp_path / "run")
    for asked in (recommender, load(tmp_path / "run")):
        right, slipped = asked.recommend_many([Query(user="u0", words="comedy"), Query(user="u0", words="comdey")], 4, explore=False)
        assert [(place.item, place.score) for place in right.items] == [(place.item, place.score) for place in slipped.items]
        assert not right.notes
        assert [(note.code, note.detail) for note in slipped.notes] == [("corrected_words", "words 'comdey' were read as 'comedy'.")]


def test_items_words_are_known_too_also_of_items_that_came_later(asked_by_name: tuple[Dataset, Recommender]) -> None:
    _, recommender = asked_by_name
    assert told(recommender, "tendre").endswith("'tender'.")
    assert not told(recommender, "melancholic") and not told(recommender, "melancolic")
    recommender.add_items(pl.DataFrame({"item": ["i9"], "title": ["melancholic"]}))
    assert told(recommender, "melancolic").endswith("'melancholic'.")


def test_what_one_user_alone_typed_is_not_kept(asked_by_name: tuple[Dataset, Recommender], tmp_path: Path) -> None:
    _, recommender = asked_by_name
    assert recommender.spelling is not None
    assert {"ambient", "quiet"} <= set(recommender.spelling.counts) and "kowalska" not in recommender.spelling.counts
    save(recommender, tmp_path / "run")
    assert b"owalska" not in (tmp_path / "run" / "vocabulary.json").read_bytes()


def test_words_are_read_as_typed_where_the_rules_say_so() -> None:
    dataset = typing()
    plain = replace(dataset, rules=dataset.rules.model_copy(update={"correct_words": False}))
    recommender = Recommender(ContextTransformer(**SMALL), text=HashedText(width=16, ngrams=0), exclude_seen=False)
    recommender.prepare(plain)
    recommender.remember(plain)
    assert recommender.spelling is None and not told(recommender, "comdey")
    recommender.add_items(pl.DataFrame({"item": ["i9"], "title": ["melancholic"]}))
    assert not told(recommender, "melancolic")


def test_judging_asks_slips_as_the_service_would(asked_by_name: tuple[Dataset, Recommender]) -> None:
    dataset, recommender = asked_by_name
    cases = cases_of(recommender, dataset, LeaveLastOut().divide(dataset), "test", EvaluationOptions(exclude_seen=False))
    slipped = VARIANTS["typos in words"](cases, recommender, 0)
    assert slipped is not None and slipped.words is not None
    right = cases.table.words[torch.from_numpy(cases.table.word_rows[cases.rows])]
    others = torch.from_numpy(cases.table.users[cases.rows] != 1)  # whose words three users typed
    torch.testing.assert_close(slipped.words.codes[others], right.codes[others])
    torch.testing.assert_close(slipped.words.vectors[others], right.vectors[others])
    assert (slipped.words.codes != right.codes).any()


def test_items_are_found_by_name_where_events_hold_other_words() -> None:
    """What is typed are tags, never names; a share of the targets is asked for by name all the same."""
    plain = codewords()
    names = [
        f"{first}{last}"
        for first in ("red", "blue", "green", "grey", "black")
        for last in ("lamp", "chair", "table", "clock", "shelf", "sofa", "rug", "vase")
    ]
    dataset = replace(plain, items=plain.items.with_columns(title=pl.Series(names)))
    split, found = LeaveLastOut().divide(dataset), {}
    for share in (0.0, 0.2):
        model = ContextTransformer(**SMALL, words_share=share, identity_dropout=0.0)
        recommender = Recommender(model, text=HashedText(width=64), exclude_seen=False)
        fit(recommender, dataset, split, SHORT.model_copy(update={"epochs": 6, "patience": 6}))
        slates = recommender.recommend_many([Query(words=name) for name in dataset.items["title"]], 1, explore=False)
        found[share] = float(np.mean([slate.items[0].item == item for slate, item in zip(slates, dataset.items["id"], strict=True)]))
    assert found[0.2] > 0.9
    assert found[0.0] < 0.7
