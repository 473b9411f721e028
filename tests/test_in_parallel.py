"""A recommender asked by several threads at once. Threads meet at events, never at the clock."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import polars as pl
import pytest
import torch

from germane import query_reader
from germane.encoders import HashedText
from germane.errors import FetchError, QueryError
from germane.jobs.recommend import answer_file, answer_one
from germane.jobs.train import train
from germane.models import ContextTransformer
from germane.models.context.items import ItemTower
from germane.query_reader import QueryReader
from germane.recommender import Recommender
from germane.testing.model_contract import small_shop
from germane.training import TrainingOptions
from germane.types import Event, Query

LATE = pl.DataFrame({"item": ["late"], "title": ["umbrella boots number99"]})
SOON = 60
"""Seconds; only a fault waits so long."""


@pytest.fixture
def shop() -> Recommender:
    model = ContextTransformer(width=16, blocks=1, length=10, text_width=8)
    return train(Recommender(model, text=HashedText(width=32)), small_shop(), training=TrainingOptions(epochs=1))


class Gate:
    """Whoever comes to it waits there, once it is shut, until it is opened."""

    def __init__(self) -> None:
        self.reached, self.open = threading.Event(), threading.Event()

    def pass_through(self, *_: Any) -> None:
        self.reached.set()
        assert self.open.wait(SOON)

    def opened_after(self, work: Callable[..., Any], *given: Any) -> Any:
        try:
            return work(*given)
        finally:
            self.open.set()


class Door:
    """A lock that opens a gate as soon as anyone has to wait for it."""

    def __init__(self, lock: Any, gate: Gate) -> None:
        self.lock, self.gate = lock, gate

    def __enter__(self) -> None:
        if not self.lock.acquire(blocking=False):
            self.gate.open.set()
            self.lock.acquire()

    def __exit__(self, *_: object) -> None:
        self.lock.release()


@pytest.mark.parametrize("ask", [lambda shop: shop.similar("i1", 3), lambda shop: shop.recommend(Query(), 3)])
def test_items_come_while_vectors_are_worked_out(shop: Recommender, ask: Callable[[Recommender], Any], monkeypatch: pytest.MonkeyPatch) -> None:
    tower = next(part for part in shop.model.modules() if isinstance(part, ItemTower))  # type: ignore[union-attr]
    gate = Gate()
    tower.forget()
    hook = tower.register_forward_hook(gate.pass_through)
    monkeypatch.setattr(shop, "_lock", Door(shop._lock, gate))
    with ThreadPoolExecutor(2) as threads:
        asked = threads.submit(ask, shop)
        assert gate.reached.wait(SOON)
        added = threads.submit(gate.opened_after, shop.add_items, LATE)
        assert asked.result(SOON) and added.result(SOON) == 1
    hook.remove()
    assert "late" in {shown.item for shown in shop.recommend(Query(), 24).items} | set(dict(shop.similar("i1", 24)))


def test_what_was_begun_before_items_came_is_not_kept(shop: Recommender) -> None:
    tower = next(part for part in shop.model.modules() if isinstance(part, ItemTower))  # type: ignore[union-attr]
    tower.eval()
    tower.forget()
    hook = tower.register_forward_hook(lambda *_: tower.forget())
    with torch.inference_mode():
        tower.catalogue()
    hook.remove()
    assert tower.kept is None
    with torch.inference_mode():
        assert tower.catalogue() is tower.catalogue()


@pytest.mark.parametrize("call", ["popular", "trending", "latest"])
def test_lists_wait_until_items_are_in(shop: Recommender, call: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Between an item's row and its counts there is nothing to be read."""
    gate = Gate()

    def zeros(*given: Any, **named: Any) -> Any:
        gate.pass_through()
        return np.zeros(*given, **named)

    monkeypatch.setattr(shop, "_lock", Door(shop._lock, gate))
    with ThreadPoolExecutor(2) as threads:
        with monkeypatch.context() as patch:
            patch.setattr("germane.catalogue.np", SimpleNamespace(**{**vars(np), "zeros": zeros}))
            threads.submit(shop.add_items, LATE)
            assert gate.reached.wait(SOON)
        assert len(threads.submit(gate.opened_after, getattr(shop, call), 25).result(SOON)) == 25


class Endpoint(HashedText):
    """Stands for a model behind an API: ``wait`` says what a text meets."""

    wait: Callable[[Sequence[str]], None] = staticmethod(lambda texts: None)

    @property
    def in_parallel(self) -> bool:
        return True

    def encode(self, texts: Sequence[str]) -> torch.Tensor:
        self.wait(texts)
        return super().encode(texts)


def down(texts: Sequence[str]) -> None:
    raise FetchError("The endpoint example.org cannot be reached.")


@pytest.fixture
def remote(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Recommender:
    monkeypatch.setenv("GERMANE_CACHE", str(tmp_path))
    model = ContextTransformer(width=16, blocks=1, length=10, text_width=8)
    return train(Recommender(model, text=Endpoint(width=32)), small_shop(), training=TrainingOptions(epochs=1))


@pytest.mark.parametrize("slow", [lambda shop: shop.recommend(Query(words="boots"), 3), lambda shop: shop.add_items(LATE)])
def test_nobody_waits_for_the_texts_of_others(remote: Recommender, slow: Callable[[Recommender], Any]) -> None:
    gate = Gate()
    remote.text.wait = gate.pass_through  # type: ignore[attr-defined]
    with ThreadPoolExecutor(2) as threads:
        waiting: Future[Any] = threads.submit(slow, remote)
        assert gate.reached.wait(SOON)
        assert threads.submit(remote.recommend, Query(user="u0"), 3).result(SOON).items
        assert not waiting.done()
        gate.open.set()
        assert waiting.result(SOON)


def test_words_that_cannot_be_read_are_an_error(remote: Recommender, tmp_path: Path) -> None:
    remote.text.wait = down  # type: ignore[attr-defined]
    (tmp_path / "q.jsonl").write_text('{"user": "u0"}\n{"words": "boots"}\n')
    asked = Query(user="u0", words="boots")
    for ask in (
        lambda: remote.recommend(asked),
        lambda: remote.recommend_many([Query(), asked]),
        lambda: answer_one(remote, asked),
        lambda: list(answer_file(remote, tmp_path / "q.jsonl")),
    ):
        with pytest.raises(FetchError, match="cannot be reached"):
            ask()


def test_words_that_cannot_be_read_are_left_out_where_that_is_asked_for(remote: Recommender) -> None:
    plain = remote.recommend(Query(user="u0"), 5)
    remote.text.wait = down  # type: ignore[attr-defined]
    asked = remote.recommend_many([Query(user="u0", words="bots"), Query(user="u0")], 5, degrade=True)
    assert [[note.code for note in slate.notes] for slate in asked] == [["words_unread"], []]
    for slate in asked:
        assert [shown.score for shown in slate.items] == pytest.approx([shown.score for shown in plain.items], abs=1e-4)


REFUSED = [Query(words="boots", context={"wether": "rain"}), Query(words="boots", filter={"eq": ["colour", "red"]})]


@pytest.mark.parametrize("refused", REFUSED, ids=["context", "filter"])
@pytest.mark.parametrize("before", [0, 70], ids=["alone", "behind many"])
def test_nothing_is_sent_for_a_query_that_is_refused(remote: Recommender, refused: Query, before: int) -> None:
    sent: list[str] = []
    remote.text.wait = sent.extend  # type: ignore[attr-defined]
    with pytest.raises(QueryError):
        remote.recommend_many([Query(words="hat")] * before + [refused])
    assert sent == []


def test_a_query_is_checked_once_before_its_words_are_sent(remote: Recommender, monkeypatch: pytest.MonkeyPatch) -> None:
    order: list[str] = []
    check_context, check_number = QueryReader.check_context, query_reader._check_number
    remote.text.wait = lambda texts: order.append("sent")  # type: ignore[attr-defined]
    monkeypatch.setattr(QueryReader, "check_context", lambda *given: (order.append("names"), check_context(*given))[1])
    monkeypatch.setattr(query_reader, "_check_number", lambda name, value, at: (order.append(at), check_number(name, value, at))[1])
    event = Event("i1", context={"degrees": 3})
    remote.recommend(Query(words="boots", context={"degrees": 5}, history=(event,), filter={"in": ["id", ["i1"]]}))
    assert order == ["names", "context", "history[0].context", "sent"]


def test_an_item_that_cannot_be_read_changes_nothing(remote: Recommender) -> None:
    remote.text.wait = down  # type: ignore[attr-defined]
    with pytest.raises(FetchError):
        remote.add_items(pl.DataFrame({"item": ["late"], "title": ["umbrella boots number99"]}))
    assert len(remote.catalogue) == 24 and remote.content.n_items == 24 and remote.recommend(Query(), 24).items
