"""What is fixed of items, and what is learned of typed words."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import polars as pl
import pytest
import torch

from germane.batches import EventTable
from germane.bundle import load, save
from germane.data import Dataset, LeaveLastOut
from germane.encoders import HashedText, NoText, word_codes
from germane.evaluation import EvaluationOptions
from germane.jobs.train import fit, judge
from germane.models import ContextTransformer
from germane.models.context.likeness import ContentLikeness
from germane.models.context.traits import WIDEST, Traits
from germane.models.context.typed import WordTower
from germane.recommender import Recommender
from germane.testing.model_contract import small_shop
from germane.training import TrainingOptions
from germane.types import Query

SMALL = {"width": 16, "blocks": 1, "length": 10, "text_width": 8, "dropout": 0.0}
SHORT = TrainingOptions(epochs=3, batch=8, warmup=5, learning_rate=1e-2)


def test_products_of_traits_are_those_of_rare_features() -> None:
    codes = torch.tensor([[1, 2, 0], [1, 3, 0], [2, 1, 0], [1, 0, 0], [0, 0, 0], [4, 5, 1]])
    traits = Traits(n_codes=6)
    traits.fit(codes, torch.ones(6, dtype=torch.bool))
    vectors = traits(codes)
    idf = torch.log(7 / torch.tensor([6.0, 3, 2, 2, 2]))
    table = torch.zeros(6, 5)
    for row, cell in enumerate(codes):
        for code in cell[cell > 0]:
            table[row, code - 1] = idf[code - 1]
    torch.testing.assert_close(vectors, torch.nn.functional.normalize(table, dim=1))
    assert torch.equal(vectors[0], vectors[2]) and not vectors[4].any()


def test_many_features_are_folded_with_small_errors() -> None:
    generator = torch.Generator().manual_seed(1)
    codes = torch.randint(1, 1000, (300, 5), generator=generator)
    codes[200:, :3] = codes[100:200, :3]  # alike by three of five
    traits = Traits(n_codes=1000)
    traits.fit(codes, torch.ones(300, dtype=torch.bool))
    vectors = traits(codes)
    assert vectors.shape == (300, WIDEST)
    alike, apart = (vectors[200:] * vectors[100:200]).sum(1), (vectors[:100] * vectors[100:200]).sum(1)
    assert alike.mean() == pytest.approx(0.6, abs=0.1) and apart.mean() == pytest.approx(0, abs=0.05)
    assert apart.std() < 0.13
    again = Traits(n_codes=1000)
    torch.manual_seed(5)
    again.fit(codes, torch.ones(300, dtype=torch.bool))
    assert torch.equal(again.vectors, traits.vectors)  # whatever the seed of a run


def test_rarity_is_counted_over_known_items() -> None:
    codes, known = torch.tensor([[1], [2], [2], [2]]), torch.tensor([True, True, False, False])
    traits = Traits(n_codes=3)
    traits.fit(codes, known)
    assert traits.vectors[1].norm() == traits.vectors[2].norm()
    traits.fit(codes, ~known)
    assert traits.vectors[1].norm() > traits.vectors[2].norm()


def test_means_up_to_each_place_fade() -> None:
    likeness = ContentLikeness(text_width=2)
    with torch.no_grad():
        likeness.fade.copy_(torch.tensor([0.0, 100.0]))  # a half; not at all
        likeness.weight.copy_(torch.tensor([2.0, 3.0]))
    fixed = torch.tensor([[[0.0, 0, 0, 0], [1, 0, 1, 0], [0, 1, 0, 1]]])
    means = likeness.means(fixed)
    assert not means[0, 0].any()
    torch.testing.assert_close(means[0, 1], torch.tensor([1.0, 0, 1, 0]))
    torch.testing.assert_close(means[0, 2], torch.tensor([0.5 / 1.25**0.5, 1 / 1.25**0.5, 0.5**0.5, 0.5**0.5]))
    torch.testing.assert_close(likeness.weighed(means)[0, 1], torch.tensor([2.0, 0, 3, 0]))


def brands(text: bool = False) -> Dataset:
    """Users keep to a brand; each item but the new ones is taken; nothing but the brand tells the new items apart."""
    rows = [(f"u{user}", f"i{user % 4 + 4 * ((user + step) % 10)}") for user in range(80) for step in range(6)]
    items = {"item": [*(f"i{n}" for n in range(40)), *(f"n{n}" for n in range(8))], "brand": [f"b{n % 4}" for n in range(48)]}
    columns = {"text": ["brand"] if text else [], "side": ["brand"]}
    return Dataset.from_frames(pl.DataFrame(rows, schema=["user", "item"], orient="row"), pl.DataFrame(items), columns=columns)


def test_side_features_alone_place_new_items() -> None:
    dataset = brands()
    recommender = Recommender(ContextTransformer(**SMALL), text=NoText())
    fit(recommender, dataset, LeaveLastOut().divide(dataset), SHORT)
    recommender.remember(dataset)
    for user in range(8):
        slate = recommender.recommend(Query(user=f"u{user}", candidates=tuple(f"n{n}" for n in range(8))), 2)
        assert {int(place.item[1:]) % 4 for place in slate.items} == {user % 4}
        assert {reason.kind for reason in slate.items[0].reasons} >= {"content"}


def test_identities_are_not_dropped_where_they_are_all_that_is_known() -> None:
    dataset = brands()
    for side in (False, True):
        model = ContextTransformer(**SMALL, identity_dropout=0.5, side=side)
        recommender = Recommender(model, text=NoText())
        recommender.prepare(dataset)
        model.train()
        model.items.drop()
        assert bool((model.items.known & ~model.items.familiar()).any()) is side


def test_items_added_later_have_traits() -> None:
    dataset = brands()
    recommender = Recommender(ContextTransformer(**SMALL), text=NoText())
    fit(recommender, dataset, LeaveLastOut().divide(dataset), SHORT)
    recommender.add_items(pl.DataFrame({"item": ["late"], "brand": ["b2"]}))
    fixed = recommender.model.items.fixed  # type: ignore[union-attr]
    assert torch.equal(fixed[-1], fixed[2]) and fixed[-1].any()


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
    table = EventTable(dataset, recommender.features, profile=recommender.profiles_of(dataset), words=recommender.typed(dataset))
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
