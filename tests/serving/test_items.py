"""Items that are put, changed and taken out while a trained recommender answers, and after it starts again."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from litestar.testing import TestClient

from germane.bundle import load, save
from germane.data import Dataset
from germane.encoders import HashedText
from germane.jobs.train import train
from germane.models import ContextTransformer
from germane.recommender import Recommender
from germane.serving import create_app
from germane.store import EventStore
from germane.testing.model_contract import small_shop
from germane.training import TrainingOptions

QUERIES: list[dict[str, Any]] = [
    {"user": "u0"},
    {"user": "u1", "words": "xylophone", "context": {"weather": "rain"}},
    {"history": ["n1", "n3", "i2"]},
    {"user": "buyer", "filter": {"eq": ["on_sale", True]}},
    {},
]


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A shop in Berlin. Nobody took ``cold`` and ``cool``."""
    shop = small_shop()
    ids = shop.users["id"].gather(shop.user_codes), shop.items["id"].gather(shop.item_codes)
    events = shop.events.select(user=ids[0], item=ids[1], time="time", weather="context:weather")
    items = pl.concat([shop.items.rename({"id": "item"}), pl.DataFrame({"item": ["cold", "cool"], "title": ["ice skates", "scarf"]})])
    items = items.with_columns(
        year=1990 + pl.int_range(items.height) % 7,
        price=pl.int_range(items.height) + 0.5,
        on_sale=pl.Series(["True", "False"] * (items.height // 2)),
        released=pl.Series([f"2020-01-{day:02d}" for day in range(1, items.height + 1)]),
        seen=pl.Series([f"{day:02d}.02.2020" for day in range(1, items.height + 1)]),
        noted=pl.Series([f"2021-01-{day:02d}" for day in range(1, items.height + 1)]),
    )
    dataset = Dataset.from_frames(
        events,
        items,
        columns={"time": "time", "context": ["weather"], "text": ["title"], "side": ["year", "on_sale", "released"]},
        types={"seen": "time:%d.%m.%Y"},
        timezone="Europe/Berlin",
    )
    made = Recommender(ContextTransformer(width=16, blocks=1, length=10, text_width=8), text=HashedText(width=32))
    folder = tmp_path_factory.mktemp("runs") / "shop"
    save(train(made, dataset, training=TrainingOptions(epochs=1)), folder)
    return folder


@pytest.fixture
def client(run: Path, store: EventStore) -> Iterator[TestClient[Any]]:
    with opened(run, store) as client:
        yield client


def opened(run: Path, store: EventStore) -> TestClient[Any]:
    return TestClient(create_app(load(run), store), base_url="http://127.0.0.1:8000")


def put(client: TestClient[Any], item: str, **columns: Any) -> int:
    return client.put(f"/v1/items/{item}", json=columns).status_code


def bought(client: TestClient[Any], *items: str) -> None:
    lines = [{"user": "buyer", "item": item, "time": "2026-05-01T21:00"} for item in items]
    assert client.post("/v1/events", json={"events": lines}).status_code == 201


def answers(client: TestClient[Any]) -> tuple[dict[str, Any], dict[tuple[str, str], float]]:
    """All that can be told of items; and scores by what was asked and item."""
    told: dict[str, Any] = {}
    scores: dict[tuple[str, str], float] = {}
    for number, query in enumerate(QUERIES):
        asked = {"n": 40, "explain": False, "exclude_seen": False, "time": "2026-06-01T10:00", **query}
        slate = client.post("/v1/recommendations", json=asked).json()
        scores |= {(f"query {number}", shown["item"]): shown["score"] for shown in slate["items"]}
        told[f"notes {number}"] = slate["notes"]
    for call in ("popular", "trending", "latest", "similar/i1"):
        found = client.get(f"/v1/{call}?n=40").json()["items"]
        if call != "latest":  # its scores are places, and what came and went had one
            scores |= {(call, shown["item"]): shown["score"] for shown in found}
        if call != "similar/i1":  # near ties
            told[call] = [shown["item"] for shown in found]
    ids = [*(f"i{n}" for n in range(24)), "cold", "cool", "n1", "n2", "n3", "n4"]
    told["items"] = {row["item"]: row["columns"] for row in client.get("/v1/items", params={"id": ids}).json()["items"]}
    return told, scores


def test_answers_are_the_same_after_a_restart(run: Path, store: EventStore) -> None:
    with opened(run, store) as client:
        bought(client, "n2", "i3")  # before n2 comes
        put(client, "n1", title="blue garden", year=1990, on_sale=True, price=3)
        put(client, "n2", title="red river", year=1991)
        put(client, "n3", title="night train", on_sale="FALSE")
        _, before = answers(client)
        put(client, "n1", title="wild xylophone concert", year=None)
        put(client, "n2", price=9)
        bought(client, "n1", "n3", "n3")
        assert client.delete("/v1/items/n3").status_code == 204
        assert client.get("/v1/items?id=n3").json()["items"] == []
        bought(client, "n3")
        put(client, "n4", title="snow")
        assert put(client, "n3", year=1993) == 201
        put(client, "i2", title=None, year=2001.5, released="2026-01-05T12:00")
        put(client, "i5", price=1)
        client.delete("/v1/items/i5")
        assert put(client, "i5", year=1990) == 201
        put(client, "cold", title="xylophone skates")
        put(client, "cool", title="xylophone")
        client.delete("/v1/items/cool")
        put(client, "cool", year=1992)
        client.delete("/v1/items/i7")
        live, scores = answers(client)
    with opened(run, store) as client:
        again, scores_again = answers(client)
    assert live == again and scores == pytest.approx(scores_again, abs=1e-4)
    columns = live["items"]
    assert columns["n3"] == {"year": 1993} and "year" not in columns["n1"] and columns["n2"]["price"] == 9
    assert columns["i5"]["price"] == 5.5 and columns["i5"]["year"] == 1990 and "title" not in columns["i2"]
    assert columns["cool"]["title"] == "scarf"
    assert live["latest"][:4] == ["n3", "n4", "n2", "n1"]
    for item in ("n1", "cold"):  # what is typed finds the new title
        assert scores["query 1", item] > before["query 1", item] + 1


def test_what_training_knows_keeps_its_score_and_takes_columns(client: TestClient[Any]) -> None:
    _, before = answers(client)
    put(client, "i2", title="wild xylophone concert", year=2030)
    told, after = answers(client)
    assert after == before and told["items"]["i2"]["title"] == "wild xylophone concert"
    found = client.post("/v1/recommendations", json={"filter": {"eq": ["year", 2030]}}).json()
    assert [shown["item"] for shown in found["items"]] == ["i2"]


def test_columns_are_read_as_in_a_file(client: TestClient[Any], store: EventStore) -> None:
    """``released`` is a fact, ``seen`` was said to be written in its own way, and that ``noted`` holds times nobody said."""
    for item, columns in {
        "n1": {"on_sale": True, "released": "2026-01-05", "seen": "24.12.2025", "noted": "2026-01-05"},
        "n2": {"on_sale": "True", "released": 1767567600, "seen": 1766530800},  # midnight in Berlin
        "n3": {"on_sale": False, "released": "2026-01-05T00:00+09:00"},
    }.items():
        assert put(client, item, **columns) == 201, columns
    rows = {row["item"]: row["columns"] for row in client.get("/v1/items?id=n1&id=n2&id=n3").json()["items"]}
    assert [row["on_sale"] for row in rows.values()] == ["true", "true", "false"]
    assert [row["released"] for row in rows.values()] == [1767571200.0] * 3
    assert rows["n1"]["seen"] == rows["n2"]["seen"] == 1766534400.0 and rows["n1"]["noted"] == 1767571200.0
    assert dict(store.items())["n1"]["on_sale"] is True and dict(store.items())["n1"]["released"] == "2026-01-05"
    found = client.post("/v1/recommendations", json={"filter": {"eq": ["on_sale", True]}, "candidates": ["n1", "n2", "n3"]}).json()
    assert {shown["item"] for shown in found["items"]} == {"n1", "n2"}


@pytest.mark.parametrize(
    ("columns", "said"),
    [
        ({"released": "soon"}, "released = 'soon', but this column holds times: ISO, such as 2026-05-01T21:00, or epoch seconds or milliseconds."),
        ({"released": True}, "released = True, but this column holds times"),
        ({"released": -9e13}, "but this column holds times"),
        ({"released": ["2026-01-05"]}, "but this column holds times"),
        ({"seen": "2025-12-24"}, "seen = '2025-12-24', but this column holds times as '%d.%m.%Y' writes them, or epoch seconds or milliseconds."),
        ({"price": "dear"}, "price = 'dear', but this column holds numbers."),
        ({"price": True}, "price = True, but this column holds numbers."),
        ({"on_sale": 1}, "on_sale = 1, but this column holds true and false."),
        ({"title": True}, "title = True, but this column holds text."),
    ],
)
def test_other_cells_are_refused(client: TestClient[Any], store: EventStore, columns: dict[str, Any], said: str) -> None:
    refused = client.put("/v1/items/n1", json=columns)
    assert refused.status_code == 422 and said in refused.json()["detail"], refused.text
    assert list(store.items()) == []
