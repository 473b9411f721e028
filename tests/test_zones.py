"""Epochs stand on one wall clock everywhere: that of ``[data] timezone``, in training, queries, splits, the service and its store."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path

import numpy as np
import pytest
from litestar.testing import TestClient

import germane
from germane import times
from germane.data import ByTime, Dataset, NoSplit
from germane.models import ContextTransformer
from germane.recommender import Recommender
from germane.serving import create_app
from germane.store import open_store
from germane.training import TrainingOptions
from germane.types import Event, Query
from germane.wire import EventLine, query_from_line

EPOCH = 1_701_799_100  # 17:58:20 of 5 December 2023 in London, 02:58:20 of the sixth in Tokyo
TOKYO = 9 * 3600


def dataset(zone: str | None) -> Dataset:
    events = {"user": list("aabbccdd"), "item": list("xyxzyzxy"), "time": [EPOCH + 7200 * n for n in range(8)]}
    return Dataset.from_frames(events, columns={"time": "time"}, timezone=zone)


@pytest.fixture(scope="module")
def trained() -> Callable[[str | None], Recommender]:
    made: dict[str | None, Recommender] = {}

    def train(zone: str | None) -> Recommender:
        if zone not in made:
            recommender = Recommender(ContextTransformer(width=8, blocks=1, length=8), exclude_seen=False)
            made[zone] = germane.train(recommender, dataset(zone), split=NoSplit(), training=TrainingOptions(epochs=1))
        return made[zone]

    return train


@pytest.mark.parametrize("zone", [None, "UTC", "Asia/Tokyo"])
def test_a_query_is_read_as_training_was(trained: Callable[[str | None], Recommender], zone: str | None) -> None:
    recommender = trained(zone)
    learnt = recommender.features.encode(dataset(zone).events.select("time"))
    written = "2023-12-06T02:58:20" if zone == "Asia/Tokyo" else "2023-12-05T17:58:20"
    for query in (
        Query(time=EPOCH),
        Query(time=float(EPOCH)),
        Query(time=EPOCH * 1000),
        Query(time=str(EPOCH)),
        Query(time=written),
        Query(time=times.parse(written)),
        query_from_line(f'{{"time": {EPOCH}}}')[0],
    ):
        live = recommender.batch([query])
        assert live.times.tolist() == [dataset(zone).times[0]]
        assert (live.moment.codes[0] == learnt.codes[0]).all() and (live.moment.dense[0] == learnt.dense[0]).all()
    assert recommender.batch([Query()]).times.tolist() == [dataset(zone).times[-1]]


def test_gaps_are_those_of_training(trained: Callable[[str | None], Recommender]) -> None:
    told = Query(time=EPOCH, history=(Event("x", EPOCH - 60), Event("y", "2023-12-06T02:58:00")))
    live = trained("Asia/Tokyo").batch([told, Query(user="a", time=EPOCH + 7260)])
    assert live.ages.tolist() == [[60.0, 20.0], [7260.0, 60.0]]


def test_scores_of_pairs_are_those_of_lists(trained: Callable[[str | None], Recommender]) -> None:
    recommender = trained("Asia/Tokyo")
    at = EPOCH + 30_000
    scored = recommender.score({"user": ["a", "b"], "item": ["z", "y"], "time": [at, at]})
    listed = [recommender.recommend(Query(user=user, time=at, candidates=(item,))).items[0].score for user, item in (("a", "z"), ("b", "y"))]
    assert np.allclose(scored, listed, atol=1e-6)


def test_what_is_recorded_stands_on_the_same_clock(trained: Callable[[str | None], Recommender], tmp_path: Path) -> None:
    run = germane.save(trained("Asia/Tokyo"), tmp_path / "run")
    recommender = germane.load(run)
    recommender.record("a", Event("z", EPOCH + 60))
    assert [event.time for event in recommender.histories.of("a")] == [EPOCH + TOKYO + more for more in (0, 60, 7200)]
    recommender.record("new", Event("z"))
    clock = recommender.histories.of("new")[0].time
    assert isinstance(clock, times.Wall) and abs(clock - times.now("Asia/Tokyo")) < 60
    back = germane.load(germane.save(recommender, tmp_path / "again"))
    assert back.histories.of("a") == recommender.histories.of("a")
    assert recommender.batch([Query(history=tuple(back.histories.of("a")), time=EPOCH + 7200)]).ages.tolist() == [[7200.0, 7140.0, 0.0]]


def test_the_service_and_its_store_hold_one_meaning(
    trained: Callable[[str | None], Recommender], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = germane.save(trained("Asia/Tokyo"), tmp_path / "run")
    address = f"sqlite:///{tmp_path / 'germane.db'}"
    later = (datetime(2023, 12, 5, 17, 58, 20) + timedelta(hours=9, minutes=1)).isoformat()
    events = [{"user": "a", "item": "z", "time": EPOCH + 60}, {"user": "new", "item": "z", "time": later}, {"user": "new", "item": "x"}]
    for replayed in (False, True):
        recommender = germane.load(run)
        with open_store(address) as store, TestClient(create_app(recommender, store), base_url="http://127.0.0.1:8000") as client:
            if not replayed:
                assert client.post("/v1/events", json={"events": events}).json()["stored"] == 3
                slate = client.post("/v1/recommendations", json={"user": "a", "time": EPOCH, "history": [{"item": "x", "time": EPOCH}]}).json()
                line = store.recommendation(slate["recommendation_id"])
                assert line is not None and line["time"] == line["history"][0]["time"] == "2023-12-06T02:58:20"
                reward = {"recommendation_id": slate["recommendation_id"], "item": slate["items"][0]["item"], "reward": 1, "time": EPOCH}
                assert client.post("/v1/rewards", json={"rewards": [reward]}).status_code == 201
                assert store.held("a")["rewards"][0]["time"] == "2023-12-06T02:58:20"
                history = client.get("/v1/users/a").json()["history"]
                assert [event["time"][11:] for event in history] == ["02:58:20", "02:59:20", "04:58:20"]
            assert [event.item for event in recommender.histories.of("a")] == ["x", "z", "y"]
            assert recommender.histories.of("a")[1].time == recommender.histories.of("new")[0].time == EPOCH + TOKYO + 60
            clock = recommender.histories.of("new")[1].time
            assert isinstance(clock, float) and abs(clock - times.now("Asia/Tokyo")) < 60
    monkeypatch.setenv("GERMANE_STORE", address)
    (tmp_path / "again.toml").write_text('[data]\nstore = true\ntimezone = "Asia/Tokyo"\n')
    again = Dataset.read(tmp_path / "again.toml")
    assert again.times[:2].tolist() == [EPOCH + TOKYO + 60] * 2


def test_a_store_alone_takes_epochs_as_utc(tmp_path: Path) -> None:
    with open_store(f"sqlite:///{tmp_path / 'germane.db'}") as store:
        store.add_events([EventLine("a", "x", time=EPOCH)])
        assert [event.time for event in store.events_of("a")] == [EPOCH]


def test_parts_begin_on_the_wall_clock_of_the_data() -> None:
    begin, later = EPOCH + 4 * 7200, EPOCH + 6 * 7200
    for test_from in (later, str(later), "2023-12-06T14:58:20"):
        split = ByTime(validation_from=begin, test_from=test_from).divide(dataset("Asia/Tokyo"))
        assert [len(part) for part in (split.train, split.validation, split.test)] == [4, 2, 2]
    split = ByTime(validation_from=begin, test_from=later).divide(dataset(None))
    assert [len(part) for part in (split.train, split.validation, split.test)] == [4, 2, 2]
