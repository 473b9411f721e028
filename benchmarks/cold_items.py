"""New items: one Beauty item in ten out of training altogether. The recipe configs/cold_items.toml, three seeds; the same on Amazon Video Games.

    GERMANE_DATA=... python benchmarks/cold_items.py
    python benchmarks/cold_items.py --quick    # a rehearsal

A new item has a title and attributes, and nobody has touched it. Known and new are reported beside each other, since every place given to a new
item is taken from a known one. "new among new" is the new items' own shelf. The curve is one trained model under other values of
``new_item_share``; "scores as they are" is the same without the ability. Of the new items in lists it says how often they were taken (``taken``)
and how often the model's own softmax says that they would be (``stated``), per place. With ``--peers``: RecTools' UniSRec, which reads the same
frozen vectors of titles (benchmarks/peers/); it is tuned on validation, where all items are known.
"""

from __future__ import annotations

from typing import Any

from _claims import Wanted
from _harness import Benchmark
from _peers import Peer
from _plans import Plan, Row, recipe

SHARES = (0.0, 0.02, 0.1, 0.2, 0.35, 0.5, 0.75, 1.0)
PLAIN = "scores as they are"


def curve(trained: Any) -> None:
    """Rows of the same model with other shares, and the share that lists truly hold."""
    from germane.evaluation import cases_of
    from germane.jobs.train import balance_lists, judge

    ours, options, said = trained.recommender, trained.config.evaluation, trained.config.model.options.new_item_share
    lift = ours.model.new.lift
    cases = cases_of(ours, trained.dataset, trained.learnt, trained.part, options)
    first = next(row for row in trained.rows if row["segment"] == "all")
    first["metrics"] |= shown(ours.model, cases, options)
    for share in (None, *SHARES):
        ours.model.new.share = share or 0.0
        if share is None:
            lift.zero_()
        else:
            balance_lists(ours, trained.dataset, trained.learnt.train, options)
        variant = PLAIN if share is None else f"new_item_share = {share:g}"
        judged = judge(ours, trained.dataset, trained.learnt, options, part=trained.part, variant=variant)
        judged.rows[0]["metrics"] |= shown(ours.model, cases, options)
        trained.add(variant, judged)
    ours.model.new.share = said


def shown(model: Any, cases: Any, options: Any) -> dict[str, dict[str, float]]:
    """What new items get of the first ten places; how often, per such place, they are taken, and how often the model says so."""
    import numpy as np
    import torch

    from germane.evaluation import left_out

    new = torch.from_numpy(~cases.known_items)
    places = taken = stated = 0.0
    model.eval()
    with torch.inference_mode():
        for begin in range(0, len(cases.rows), 256):
            rows = cases.rows[begin : begin + 256]
            scores = model.score(cases.table.queries(rows, model.length)).clone()
            scores[left_out(cases.table, rows, options)] = -torch.inf
            top = scores.topk(10, dim=1).indices
            fresh = new[top]
            places += float(fresh.sum())
            stated += float((scores.softmax(1).gather(1, top) * fresh).sum())
            target = torch.from_numpy(cases.table.dataset.item_codes[rows].astype(np.int64))
            taken += float(((top == target[:, None]) & fresh).sum())
    per_place = max(places, 1.0)
    return {
        "share": {"value": places / (10 * len(cases.rows))},
        "taken": {"value": taken / per_place},
        "stated": {"value": stated / per_place},
    }


def plot(summary: list[Row], axes: Any) -> None:
    told = [row for row in summary if row["variant"].startswith("new_item_share") or row["own"] or row["variant"] == PLAIN]
    shares = {row["variant"]: row["figures"]["share"]["mean"] for row in told if "share" in row["figures"]}
    for segment, colour in (("known items", "#2f6f9f"), ("new items", "#c8553d"), ("all", "#444444")):
        points = sorted((shares[row["variant"]], row["figures"]["ndcg@10"]["mean"]) for row in told if row["segment"] == segment)
        if points:
            axes.plot(*zip(*points, strict=True), marker="o", color=colour, label=segment)
    axes.set_xlabel("share of the first ten places that new items get")
    axes.set_ylabel("NDCG@10")
    axes.legend(frameon=False)


MODEL, GAMES, UNISREC, CONTENT = "cold_items", "games", "rectools UniSRec", "ContentNeighbours"
NONE = {"variant": "new_item_share = 0"}

BENCHMARK = Benchmark(
    __file__,
    "New items: Amazon Beauty",
    plans=[
        Plan(MODEL, recipe("cold_items"), beside=curve, needs="Beauty"),
        Plan(GAMES, recipe("cold_items", data={"use": "Games"}), beside=curve, needs="Games", rehearsed=False),
        Plan(UNISREC, recipe("cold_items"), needs="Beauty", against=MODEL, peer=Peer("rectools", "UniSRec", reads_texts=True)),
    ],
    metrics=("ndcg@10", "recall@10", "share", "taken", "stated"),
    segments=("all", "known items", "new items", "new among new"),
    wanted=[
        Wanted("NDCG@10 on the shelf of new items, over ContentNeighbours", MODEL, segment="new among new", rivals=(CONTENT,), least=1.25),
        Wanted(
            "NDCG@10 on the shelf of new games, over ContentNeighbours",
            GAMES,
            segment="new among new",
            rivals=(CONTENT,),
            least=1.25,
        ),
        Wanted(
            "NDCG@10 on the shelf of new items, over RecTools' UniSRec",
            MODEL,
            segment="new among new",
            over={"plan": UNISREC},
            least=1.0,
        ),
        Wanted("NDCG@10 on new items, whole catalogue", MODEL, segment="new items", least=0.015),
        Wanted(
            "NDCG@10 on known items, over the same with no new item in any list",
            MODEL,
            segment="known items",
            over=NONE,
            least=0.97,
        ),
        Wanted("NDCG@10 on all events, over the same without the ability", MODEL, over={"variant": PLAIN}, least=1.0, p_below=0.05),
        Wanted(
            "NDCG@10 on all events, over the same with no new item in any list",
            MODEL,
            over=NONE,
            least=1.0,
            p_below=0.05,
        ),
    ],
    plot=plot,
    caption="What places of new items cost the known and bring the new: one model, one option.",
)

if __name__ == "__main__":
    BENCHMARK.main()
