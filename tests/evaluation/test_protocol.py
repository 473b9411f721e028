from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence

import numpy as np
import polars as pl
import pytest
import torch
from torch import Tensor

from germane.batches import QueryBatch
from germane.data import ByTime, Dataset, LeaveLastOut, Split
from germane.errors import ConfigError
from germane.evaluation import EvaluationOptions, cases_of, paired
from germane.jobs.train import evaluate, judge, train
from germane.models import Counted
from germane.recommender import Recommender
from germane.training import TrainingOptions

EVENTS = {
    "user": ["a", "a", "a", "b", "b", "b", "c"],
    "item": ["v", "w", "x", "v", "y", "v", "z"],
    "time": [1, 2, 3, 1, 2, 3, 4],
}


class Alphabet(Counted):
    """v before w before x before y before z, whoever asks; equal scores where ``flat``."""

    flat = False

    def prepare(self, dataset, content, features) -> None:  # type: ignore[no-untyped-def]
        order = sorted(dataset.items["id"].to_list())
        self.row = torch.tensor([0.0 if self.flat else -float(order.index(item)) for item in dataset.items["id"].to_list()])

    def fit(self, dataset: Dataset) -> None: ...

    def score(self, queries: QueryBatch, items: Tensor | None = None) -> Tensor:
        row = self.row.expand(len(queries), -1)
        return row if items is None else row.gather(1, items)

    def state(self) -> dict[str, Tensor]:
        return {}

    def load_state(self, state: dict[str, Tensor]) -> None: ...


def judged(
    options: EvaluationOptions, flat: bool = False, events: Mapping[str, Sequence[object]] = EVENTS
) -> tuple[dict[str, dict[str, dict[str, float]]], pl.DataFrame]:
    dataset = Dataset.from_frames(events, columns={"time": "time"})
    user, item = dataset.users["id"].to_list(), dataset.items["id"].to_list()
    rows = [(user[u], item[i], t) for u, i, t in zip(dataset.user_codes, dataset.item_codes, dataset.times)]
    train = np.array([n for n, (_, _, time) in enumerate(rows) if time < 3])
    test = np.array([n for n, (_, _, time) in enumerate(rows) if time >= 3])
    split = Split(train, np.zeros(0, dtype=np.int64), test, "by-time")
    model = Alphabet()
    model.flat = flat
    recommender = Recommender(model, features=())
    recommender.prepare(dataset.take(split.train))
    told = judge(recommender, dataset, split, options)
    return {row["segment"]: row["metrics"] for row in told.rows}, told.cases.with_columns(pl.col("item").map_elements(lambda n: item[n], pl.String))


def test_each_case_by_hand() -> None:
    """a asks for x with v and w taken: first of x, y, z. b's v was taken before: no case. c, unknown, asks for z: last of five."""
    figures, cases = judged(EvaluationOptions())
    assert dict(zip(cases["item"], cases["rank"])) == {"x": 1, "z": 5}
    assert figures["all"]["ndcg@10"]["value"] == pytest.approx((1 + 1 / math.log2(6)) / 2)
    assert figures["all"]["mrr@10"]["value"] == pytest.approx((1 + 1 / 5) / 2)
    assert figures["all"]["hit@10"]["value"] == figures["all"]["recall@10"]["value"] == 1
    assert "known items" not in figures  # x and z have no training events
    assert figures["new items"]["ndcg@10"]["value"] == figures["all"]["ndcg@10"]["value"]
    assert figures["new users"]["ndcg@10"]["value"] == pytest.approx(1 / math.log2(6))  # c
    assert figures["sparse users"]["ndcg@10"]["value"] == 1  # a, with two training events


def test_what_may_be_taken_again_stays_in_the_list() -> None:
    figures, cases = judged(EvaluationOptions(exclude_seen=False))
    assert sorted(zip(cases["item"], cases["rank"])) == [("v", 1), ("x", 3), ("z", 5)]
    assert figures["known items"]["mrr@10"]["value"] == 1  # v


def test_what_a_list_leaves_out_is_neither_covered_nor_novel() -> None:
    """With v and w taken by both, three of five items are left to show; of these y alone has a training event."""
    events = {"user": ["a", "a", "b", "b", "c", "a", "b"], "item": ["v", "w", "v", "w", "y", "x", "z"], "time": [1, 2, 1, 2, 2, 3, 3]}
    figures, _ = judged(EvaluationOptions(), events=events)
    assert figures["all"]["coverage@10"]["value"] == pytest.approx(3 / 5)
    assert figures["all"]["novelty@10"]["value"] == pytest.approx(-(math.log2(2 / 10) + 2 * math.log2(1 / 10)) / 3)


def test_k_cuts_and_segments_choose() -> None:
    figures, _ = judged(EvaluationOptions(k=(1, 2), segments=("all", "new users")))
    assert set(figures) == {"all", "new users"}
    assert figures["all"]["recall@1"]["value"] == 0.5 and figures["new users"]["recall@2"]["value"] == 0


def test_who_scores_all_alike_earns_nothing() -> None:
    """Ties count against the target: of three items left for a, x stands last."""
    _, cases = judged(EvaluationOptions(), flat=True)
    assert dict(zip(cases["item"], cases["rank"])) == {"x": 3, "z": 5}


def test_a_frozen_history_holds_what_training_saw() -> None:
    dataset = Dataset.from_frames({"user": list("aaaab"), "item": list("vwxyv"), "time": [1, 2, 3, 4, 5]}, columns={"time": "time"})
    split = Split(np.array([0, 1]), np.zeros(0, dtype=np.int64), np.array([2, 3]), "by-time")
    recommender = Recommender(Alphabet(), features=())
    recommender.prepare(dataset.take(split.train))
    lengths = {}
    for history in ("rolling", "frozen"):
        cases = cases_of(recommender, dataset, split, "test", EvaluationOptions(history=history))  # type: ignore[arg-type]
        lengths[history] = (cases.table.queries(cases.rows, 10).history >= 0).sum(1).tolist()
    assert lengths == {"rolling": [2, 3], "frozen": [2, 2]}


def test_a_history_holds_all_that_came_before_also_what_is_no_target() -> None:
    """Looked at in the test period, and between what is held out: seen, and left out of lists, though no part has it."""
    events = {"user": list("aaaaaab"), "item": list("vwxyzuv"), "time": [1, 2, 3, 4, 5, 6, 0], "stars": [5, 1, 5, 1, 5, 5, 5]}
    dataset = Dataset.from_frames(events, columns={"time": "time", "value": "stars"}, rules={"positive": ">= 4"})
    for splitter in (ByTime(validation=0.3, test=0.35), LeaveLastOut(validation=1, test=2)):
        split = splitter.divide(dataset)
        recommender = Recommender(Alphabet(), features=())
        recommender.prepare(dataset.take(split.train))
        for part in ("validation", "test"):
            cases = cases_of(recommender, dataset, split, part, EvaluationOptions())
            asked = [dataset.items["id"][int(code)] for code in dataset.item_codes[cases.rows]]
            history = [[dataset.items["id"][int(code)] for code in row if code >= 0] for row in cases.table.queries(cases.rows, 10).history]
            assert history == [list("vwxyzu")[: "vwxyzu".index(item)] for item in asked], (splitter, part)


def test_new_is_what_no_training_met_also_not_the_second() -> None:
    """z comes first in validation, y in the test: after ``refit`` y alone is new, and the user of validation is no stranger."""
    events = {"user": list("aabbcdcd"), "item": list("vwvwzvzy"), "time": list(range(8))}
    dataset = Dataset.from_frames(events, columns={"time": "time"})
    found = {}
    for refit in (False, True):
        options = TrainingOptions(refit=refit)
        recommender = train(Recommender(Alphabet(), features=()), dataset, split=ByTime(validation=0.25, test=0.25), training=options)
        judged = evaluate(recommender, dataset, options=EvaluationOptions(exclude_seen=False))
        found[refit] = {row["segment"]: row["n"] for row in judged.rows}
    assert found[False]["new items"] == 2 and found[False]["new users"] == 2 and "known items" not in found[False]
    assert found[True]["new items"] == 1 and found[True]["known items"] == 1 and "new users" not in found[True]


def test_paired_compares_users_that_both_judged() -> None:
    ours = pl.DataFrame({"user": list(range(40)), "ndcg@10": [1.0] * 40})
    theirs = pl.DataFrame({"user": list(range(20, 60)), "ndcg@10": [0.0] * 20 + [5.0] * 20})
    assert paired(ours, theirs) < 0.001
    assert paired(ours, ours) == 1


@pytest.mark.parametrize(
    ("columns", "options", "said"),
    [
        ({"time": [1, 2, 3, 1, 3, 3, 4]}, EvaluationOptions(), "what a user took before is left out; equal scores count against the model; 50.0% of"),
        (
            {"time": [1, 2, 3, 1, 2, 3, 4]},
            EvaluationOptions(exclude_seen=False),
            "stays in them; equal scores count against the model; none of these",
        ),
        (
            {"kind": ["buy"] * 7},
            EvaluationOptions(exclude_seen=("buy", "see")),
            "left out where its kind is buy or see; .*; without times, the order of the",
        ),
        ({}, EvaluationOptions(exclude_seen=()), "what a user took before stays in them; "),
    ],
)
def test_the_table_says_what_is_left_out_and_how_ties_are_broken(columns: dict[str, list[object]], options: EvaluationOptions, said: str) -> None:
    dataset = Dataset.from_frames({**EVENTS, "time": [0] * 7} | columns, columns={name: name for name in columns})
    codes = list(zip(dataset.user_codes, dataset.item_codes, strict=True))
    x, z = ((dataset.user_index[user], dataset.item_index[item]) for user, item in (("b", "v"), ("c", "z")))
    test = np.array([len(codes) - 1 - codes[::-1].index(x), codes.index(z)])
    split = Split(np.setdiff1d(np.arange(7), test), np.zeros(0, dtype=np.int64), np.sort(test), "given")
    recommender = Recommender(Alphabet(), features=())
    recommender.prepare(dataset.take(split.train))
    lines = str(judge(recommender, dataset, split, options)).splitlines()
    assert len([line for line in lines if line.startswith("lists of the whole catalogue: ")]) == 1
    assert re.search(said, lines[-1])
    assert "lists of" not in str(judge(recommender, dataset, split, options.model_copy(update={"k": ()})))


def test_kinds_are_refused_where_events_have_none() -> None:
    dataset = Dataset.from_frames(EVENTS)
    recommender = Recommender(Alphabet(), features=())
    recommender.prepare(dataset)
    split = Split(np.arange(5), np.zeros(0, dtype=np.int64), np.array([5, 6]), "given")
    with pytest.raises(ConfigError, match=r"exclude_seen = \['buy'\] names kinds of events, and no column holds them: name it by kind"):
        judge(recommender, dataset, split, EvaluationOptions(exclude_seen=("buy",)))
