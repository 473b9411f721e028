from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import polars as pl
import pytest
import torch

from germane.bundle import load, save
from germane.data import Dataset, LeaveLastOut
from germane.encoders import HashedText, ItemContent, Vocabulary, Words, single_words, text_words
from germane.evaluation import EvaluationOptions
from germane.jobs.fitting import Fitting
from germane.jobs.train import fit
from germane.models import ALS, Blend, ContextTransformer
from germane.models.context import word_match
from germane.models.context.word_match import WordMatch
from germane.recommender import Recommender
from germane.training import TrainingOptions
from germane.types import Query

SMALL = {"width": 16, "blocks": 1, "length": 10, "text_width": 4, "dropout": 0.0}
NAMES = [f"{first} {last}" for first in ("Arvo", "Béla", "Clara", "Dmitri", "Edvard") for last in ("Quartet", "Quintet", "Sonata", "Nocturne")]


def concert() -> Dataset:
    """Many take two pieces, and each of the others is taken twice; nothing that is typed says which."""
    rng = np.random.default_rng(0)
    rows = [(f"u{n % 40}", f"i{n}" if n < 20 else f"i{rng.integers(0, 2)}" if n % 8 else f"i{n // 8 % 20}", n) for n in range(400)]
    events = pl.DataFrame(rows, schema=["user", "item", "time"], orient="row")
    items = pl.DataFrame({"item": [f"i{n}" for n in range(20)], "title": NAMES, "kind": [name.split()[1] for name in NAMES]})
    return Dataset.from_frames(events, items, columns={"time": "time", "text": ["title"], "side": ["kind"]})


def trained(**options: object) -> Recommender:
    dataset = concert()
    # The model reads four numbers of each text, by which names cannot be told apart
    recommender = Recommender(ContextTransformer(**{**SMALL, **options}), text=HashedText(width=64, ngrams=0), exclude_seen=False)
    fit(recommender, dataset, LeaveLastOut().divide(dataset), TrainingOptions(epochs=2, batch=16))
    return recommender


@pytest.fixture(scope="module")
def concert_hall() -> Recommender:
    return trained()


def found(recommender: Recommender, words: list[str], ids: list[str]) -> float:
    slates = recommender.recommend_many([Query(words=typed, time=400) for typed in words], 1, explore=False)
    return float(np.mean([slate.items[0].item == item for slate, item in zip(slates, ids, strict=True)]))


def described(name: str, words: int) -> str:
    """A text of so many words whose last but five is its own."""
    return " ".join([*(f"all{place}" for place in range(words - 6)), f"own{name}", *(f"end{place}" for place in range(5))])


def test_a_word_far_down_a_description_is_found(tmp_path: Path) -> None:
    """Also in a run that was saved, of an item that was added with a longer text than all before, and of one added to the saved run."""
    plain = concert()
    items = pl.DataFrame({"item": plain.items["id"], "text": [described(item, 60) for item in plain.items["id"]]})
    events = pl.DataFrame({"user": plain.users["id"].gather(plain.events["user"]), "item": plain.items["id"].gather(plain.events["item"])})
    dataset = Dataset.from_frames(events.with_columns(time=plain.events["time"]), items, columns={"time": "time", "text": ["text"]})
    shop = Recommender(ContextTransformer(**SMALL), text=HashedText(width=64, ngrams=0), exclude_seen=False)
    fit(shop, dataset, LeaveLastOut().divide(dataset), TrainingOptions(epochs=1, batch=16))
    ids = [f"i{n}" for n in range(20)]
    assert found(shop, [f"own{item}" for item in ids], ids) == 1
    save(shop, tmp_path / "run")
    for late, one in (("l0", shop), ("l1", load(tmp_path / "run"))):
        one.add_items(pl.DataFrame({"item": [late], "text": [described(late, 200)]}))
        assert found(one, [f"own{item}" for item in (*ids, late)], [*ids, late]) == 1


def test_the_very_words_find_items_that_few_took(concert_hall: Recommender) -> None:
    ids = [f"i{n}" for n in range(20)]
    assert found(concert_hall, NAMES, ids) > 0.9
    assert found(concert_hall, [name.upper() for name in NAMES], ids) > 0.9
    assert found(trained(word_match=False), NAMES, ids) < 0.6


def test_part_of_a_name_finds_those_that_have_it(concert_hall: Recommender) -> None:
    best = concert_hall.recommend(Query(words="clara", time=400), 4, explore=False)
    assert {place.item for place in best.items} == {f"i{n}" for n in range(8, 12)}


def test_items_that_came_later_and_runs_that_are_read_know_the_words_too(tmp_path: Path) -> None:
    recommender = trained()
    recommender.add_items(pl.DataFrame({"item": ["late"], "title": ["Fanny Sonata"], "kind": ["Sonata"]}))
    save(recommender, tmp_path / "run")
    read = load(tmp_path / "run")
    read.add_items(pl.DataFrame({"item": ["later"], "title": ["Galina Nocturne"], "kind": ["Nocturne"]}))
    assert found(read, ["fanny sonata", "galina nocturne", NAMES[3]], ["late", "later", "i3"]) == 1.0
    asked = Query(words=NAMES[5], time=400)
    ours, theirs = (r.recommend(asked, 5, explore=False, explain=True) for r in (recommender, read))
    assert [(place.item, pytest.approx(place.score, abs=1e-5)) for place in theirs.items] == [(place.item, place.score) for place in ours.items]
    first = ours.items[0]
    assert first.reasons and sum(reason.weight for reason in first.reasons) == pytest.approx(first.score, abs=1e-4)


@pytest.mark.parametrize("loss", ["softmax", "sampled_softmax", "bce"])
def test_batches_in_which_nothing_is_asked_by_name_are_learnt_from_as_well(loss: str) -> None:
    dataset = concert()
    recommender = Recommender(ContextTransformer(**SMALL, words_share=1e-9), text=HashedText(width=4, ngrams=0))  # type: ignore[arg-type]
    fit(recommender, dataset, LeaveLastOut().divide(dataset), TrainingOptions(epochs=1, batch=16, loss=loss, negatives=8))  # type: ignore[arg-type]
    assert all(bool(weight.isfinite().all()) for weight in recommender.model.state().values())


@pytest.mark.parametrize("sequence", ["unweighted", "weighted"])
def test_what_is_asked_once_more_counts_as_one_question_more(sequence: str, concert_hall: Recommender) -> None:
    """The loss is the mean over all questions, asked plainly or by name: the two kinds apart, put together by what they weigh."""
    dataset, model, options = concert(), concert_hall.model, TrainingOptions(batch=16)
    feed, _ = Fitting(concert_hall, dataset, LeaveLastOut().divide(dataset), options, EvaluationOptions(), None, None).lesson(model)  # type: ignore[arg-type]
    batch = next(iter(feed.draw(np.random.default_rng(0))))  # type: ignore[union-attr]
    assert batch.named is not None and len(batch.named) > 5
    if sequence == "weighted":
        batch = replace(batch, weights=batch.weights * (1 + torch.arange(batch.weights.shape[1])))
    at = batch.named.row, batch.named.place
    again = torch.full_like(batch.targets, -1)
    again[at] = batch.targets[at]
    words = batch.queries.words
    vectors, codes, single = (getattr(words, name).clone() for name in ("vectors", "codes", "single"))
    vectors[at], codes[at], single[at] = batch.named.words.vectors, batch.named.words.codes, batch.named.words.single
    by_name = replace(batch, named=None, targets=again, queries=replace(batch.queries, words=type(words)(vectors, codes, single)))
    parts = [replace(batch, named=None), by_name]
    model.eval()
    whole, *apart = (model.loss(one, model.objective)["ranking"].item() for one in (batch, *parts))  # type: ignore[operator]
    weights = [one.counts()["ranking"] for one in parts]
    assert batch.counts()["ranking"] == pytest.approx(sum(weights)) and apart[0] != pytest.approx(apart[1], rel=0.01)
    assert whole == pytest.approx(np.average(apart, weights=weights), rel=1e-5)


def matching(texts: list[str], known: list[bool] | None = None, words: dict[str, tuple[float, float]] | None = None) -> WordMatch:
    """``words``: the catalogue's frequent ones, with their vectors."""
    single, n = text_words(texts), len(texts)
    is_known = torch.tensor([True] * n if known is None else known)
    vocabulary = Vocabulary(tuple(words), torch.tensor(list(words.values()))) if words else None
    match = WordMatch(single, 2, taught=False)
    match.fit(ItemContent(torch.zeros(n, 2), torch.zeros(n, 0, dtype=torch.int32), torch.zeros(n, 0), is_known, 1, single, vocabulary))
    return match


def typed(*texts: str, vectors: list[tuple[float, float]] | None = None) -> Words:
    return Words.of(texts, torch.zeros(len(texts), 2) if vectors is None else torch.tensor(vectors))


def weighed(match: WordMatch, cosine: float, share: float, nearest: float = 0.0) -> WordMatch:
    with torch.no_grad():
        match.factor.copy_(torch.tensor([cosine, share, nearest]) / match.start)
    return match


TEXTS = ["a western", "a western of 1969 with a long story of two robbers", "a musical", "", "the sound of a musical western"]


@torch.no_grad()
def test_cosine_and_share_are_those_of_the_words_by_hand() -> None:
    match, asked = matching(TEXTS), {"western", "robbers", "tonight"}
    texts = [set(text.split()) for text in TEXTS]
    worth = {word: np.log(6 / (1 + sum(word in text for text in texts))) ** 2 for word in asked.union(*texts)}
    both = np.array([sum(worth[word] for word in text & asked) for text in texts])
    lengths = np.array([sum(worth[word] for word in text) or 1.0 for text in texts])
    share = both / sum(worth[word] for word in asked)
    cosine = both / np.sqrt(lengths * sum(worth[word] for word in asked))
    query = typed("western robbers tonight")
    assert weighed(match, 1, 0)(query)[0].tolist() == pytest.approx(cosine.tolist(), abs=1e-5)
    assert weighed(match, 0, 1)(query)[0].tolist() == pytest.approx(share.tolist(), abs=1e-5)


@torch.no_grad()
def test_one_word_finds_all_that_hold_it_whatever_else_they_say() -> None:
    match, query = matching(TEXTS), typed("WESTERN")
    assert weighed(match, 0, 1)(query)[0].tolist() == [1, 1, 0, 0, 1]
    alike = weighed(match, 1, 0)(query)[0]
    assert alike[0] > 2 * alike[1] > 0


@torch.no_grad()
def test_what_is_typed_is_read_as_the_words_that_mean_most_nearly_the_same() -> None:
    """Each counts as its cosine, none below 0: "cowboys" is in no text."""
    words = {"western": (1.0, 0.0), "robbers": (0.6, 0.8), "musical": (-1.0, 0.0)}
    match = weighed(matching(TEXTS, words=words), 0, 0, 2.0)
    assert match(typed("cowboys", "", "songs", vectors=[(2, 0), (0, 0), (-3, 0)])).tolist() == [
        pytest.approx([2, 3.2, 0, 0, 2], abs=1e-5),
        [0] * 5,
        pytest.approx([0, 0, 2, 0, 2], abs=1e-5),
    ]


@torch.no_grad()
@pytest.mark.parametrize("seed", range(3))
def test_the_whole_catalogue_shared_items_and_own_items_are_told_alike(seed: int) -> None:
    rng = np.random.default_rng(seed)
    words = np.array([f"w{n}" for n in range(40)])
    texts, asked = ([" ".join(rng.choice(words, rng.integers(0, 9))) for _ in range(n)] for n in (60, 15))
    match = matching(texts, words={f"w{n}": tuple(rng.normal(size=2)) for n in range(0, 40, 2)})
    query, every = typed(*asked, vectors=[tuple(row) for row in rng.normal(size=(15, 2))]), torch.arange(60)
    told = match(query)
    assert told.shape == (15, 60) and bool((told > 0).any())
    torch.testing.assert_close(match(query, every), told)
    torch.testing.assert_close(match(query, every.expand(15, 60)), told)
    assert "" in asked
    torch.testing.assert_close(match.add_to(torch.ones(15, 60), query, every), told + 1)
    own = torch.from_numpy(rng.integers(0, 60, 15))
    torch.testing.assert_close(match.add_to(torch.ones(15), query, own), told[torch.arange(15), own] + 1)


@torch.no_grad()
def test_nothing_typed_says_nothing_and_rarity_is_counted_over_known_items() -> None:
    match = matching(TEXTS, [True, False, False, True, False])
    assert match(typed("", "")).tolist() == [0] and match(typed()).tolist() == [0]
    assert match(typed("", "western"))[0].tolist() == [0] * 5
    of = dict(zip(("western", "robbers"), match.rarity[single_words(["western", "robbers"])[:, 0].int()].tolist(), strict=True))
    assert of == pytest.approx({"western": np.log(3 / 2) ** 2, "robbers": np.log(3) ** 2})


@torch.no_grad()
@pytest.mark.parametrize("most", [0, 2, 9])
def test_added_items_are_found_whether_the_catalogue_is_sorted_again_or_not(most: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(word_match, "MOST_ADDED", most)
    whole, query = matching(TEXTS), typed("western robbers", "musical")
    match = matching(TEXTS[:2], words=None)
    match.rarity.copy_(whole.rarity)
    match.length = match._length(match.codes)
    for n in range(2, 6):
        single = text_words(TEXTS[:n])  # as wide as the longest so far
        match.grow(ItemContent(torch.zeros(n, 2), torch.zeros(n, 0, dtype=torch.int32), torch.zeros(n, 0), torch.zeros(n).bool(), 1, single))
        torch.testing.assert_close(match(query), whole(query)[:, :n])
    assert match.sorted == {0: 5, 2: 5, 9: 2}[most]


def test_what_was_sorted_on_another_device_is_sorted_again() -> None:
    """A model is validated on the device that it learns on, and goes on elsewhere."""
    match = weighed(matching(["rain song", "war song", "quiet"]), 1.0, 1.0)
    before = match(typed("song"))
    assert match.holders is not None
    match.holders = tuple(part.to("meta") for part in match.holders)  # type: ignore[assignment]
    torch.testing.assert_close(match(typed("song")), before)


def test_a_vocabulary_is_encoded_for_those_that_read_it() -> None:
    assert ContextTransformer().wants_vocabulary and not ContextTransformer(word_match=False).wants_vocabulary
    assert Blend(members=[{"use": "ALS"}, {"use": "ContextTransformer"}]).wants_vocabulary
    assert not Blend(members=[{"use": "ALS"}, {"use": "EASE"}]).wants_vocabulary and not ALS().wants_vocabulary
