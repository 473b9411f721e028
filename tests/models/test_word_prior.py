"""What was typed for what: counts, and that no row counts itself."""

from __future__ import annotations

import math
from pathlib import Path

import polars as pl
import pytest
import torch

import germane
from germane import Query
from germane.data import Dataset, NoSplit
from germane.encoders import HashedText, word_codes
from germane.jobs.train import fit
from germane.models import ContextTransformer
from germane.models.context.word_prior import WordPrior
from germane.recommender import Recommender
from germane.training import TrainingOptions

EVENTS = [
    ("u1", "a", 1, "indie rock"),
    ("u2", "a", 2, "Rock"),
    ("u3", "b", 3, "rock"),
    ("u3", "c", 4, None),
    ("u4", "c", 5, "jazz"),
    ("u4", "b", 6, ""),
]


def dataset() -> Dataset:
    events = pl.DataFrame(EVENTS, schema=["user", "item", "time", "words"], orient="row")
    items = pl.DataFrame({"item": ["a", "b", "c", "new"], "title": ["one", "two", "three", "four"]})
    return Dataset.from_frames(events, items, columns={"time": "time", "words": "words", "text": ["title"]})


@pytest.fixture
def prior() -> WordPrior:
    made = WordPrior()
    made.fit(dataset())
    with torch.no_grad():
        made.weight.fill_(1.0).requires_grad_(False)
    return made


def codes_of(names: list[str]) -> list[int]:
    ids = dataset().items["id"].to_list()
    return [ids.index(name) for name in names]


def test_logs_of_counts_averaged_over_words_and_pairs(prior: WordPrior) -> None:
    a, b, c, new = codes_of(["a", "b", "c", "new"])
    told = prior.of(word_codes(["rock", "indie rock", "polka", "", "rock polka"]), 4)
    assert told[0, [a, b, c, new]].tolist() == pytest.approx([math.log(3), math.log(2), 0, 0])
    assert told[1, [a, b, c]].tolist() == pytest.approx([(math.log(3) + 2 * math.log(2)) / 3, math.log(2) / 3, 0])  # indie, rock, indie rock
    assert not told[2:4].any() and told[4, a] == pytest.approx(math.log(3) / 3)


def test_shared_items_own_rows_and_the_whole_catalogue_agree(prior: WordPrior) -> None:
    typed = word_codes(["rock", "jazz", "indie rock", ""])
    whole = prior.of(typed, 4)
    some = torch.tensor([2, 0, 0, 3])  # drawn with repeats
    torch.testing.assert_close(prior.of(typed, 4, some), whole[:, some])
    own = torch.tensor([[0, 1], [2, 2], [3, 0], [1, 1]])
    torch.testing.assert_close(prior.of(typed, 4, own), whole.gather(1, own))


@pytest.mark.parametrize("items", [None, torch.tensor([2, 0, 1, 0])])
def test_a_row_does_not_count_itself(prior: WordPrior, items: torch.Tensor | None) -> None:
    a, b = codes_of(["a", "b"])
    typed, itself = word_codes(["rock", "rock", "jazz"]), (torch.tensor([a, b, a]), torch.ones(3))
    told = prior.of(typed, 4, items, itself)
    place = (lambda item: item) if items is None else (lambda item: items.tolist().index(item))
    assert told[0, place(a)] == pytest.approx(math.log(2)) and told[0, place(b)] == pytest.approx(math.log(2))
    assert told[1, place(b)] == 0 and told[1, place(a)] == pytest.approx(math.log(3))
    assert told[2, place(a)] == 0  # never below nothing
    torch.testing.assert_close(
        prior.of(typed, 4, itself[0][:, None], itself)[:, 0], told[torch.arange(3), torch.tensor([place(a), place(b), place(a)])]
    )


def test_one_row_s_own_event_is_no_sign_of_its_target() -> None:
    """Each word was typed once: counts tell nothing but the row itself, so the weight on them has nothing to learn from."""
    rows = [(f"u{n}", f"i{n % 8}", n, f"word{n}") for n in range(64)]
    events = pl.DataFrame(rows, schema=["user", "item", "time", "words"], orient="row")
    once = Dataset.from_frames(events, columns={"time": "time", "words": "words"})
    made = WordPrior()
    made.fit(once)
    typed, targets = word_codes(once.events["words"].to_list()), torch.from_numpy(once.item_codes)
    assert not made.of(typed, 8, None, (targets, torch.ones(64)))[torch.arange(64), targets].any()
    assert made.of(typed, 8)[torch.arange(64), targets].all()


def test_a_saved_run_remembers_and_gives_its_reasons(tmp_path: Path) -> None:
    shop = Recommender(ContextTransformer(width=8, blocks=1, length=4, text_width=4), text=HashedText(width=16))
    data = dataset()
    fit(shop, data, NoSplit().divide(data), TrainingOptions(epochs=2, batch=4))
    shop.remember(data)
    back = germane.load(germane.save(shop, tmp_path / "run"))
    queries = [Query(words="rock"), Query(user="u1", words="indie rock"), Query()]
    items = torch.arange(4).expand(3, 4)
    for one in (shop, back):
        model, batch = one.model, one.batch(queries)
        with torch.inference_mode():
            torch.testing.assert_close(sum(model.reasons(batch, items).values()), model.score(batch), atol=1e-5, rtol=1e-5)
    with torch.inference_mode():
        torch.testing.assert_close(back.model.score(back.batch(queries)), shop.model.score(shop.batch(queries)))
    silent = ContextTransformer(width=8, blocks=1, length=4, text_width=4, word_counts=False)
    silent.prepare(data, shop.content, shop.features)
    assert silent.word_prior is None and back.model.word_prior is not None and len(back.model.word_prior.keys) == 5
