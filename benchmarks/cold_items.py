"""New items: one Beauty item in ten out of training altogether. The recipe configs/cold_items.toml, three seeds.

    GERMANE_DATA=... python benchmarks/cold_items.py
    python benchmarks/cold_items.py --quick    # a rehearsal

A new item has texts and attributes, and nobody has touched it. Known and new are reported beside each other, since every place given to a new item is
taken from a known one. "shelf" rows give the last places of ten to the new items that rank best among the new, by the model or by
``ContentNeighbours``; the places above are the model's own.
"""

from __future__ import annotations

from typing import Any

from _claims import Wanted
from _harness import Benchmark
from _plans import Plan, Row, recipe

PLACES = (1, 2, 3, 5)
CONTENT = "shelf by ContentNeighbours"


def shelves(trained: Any) -> None:
    """Rows for each number of places, by either ranking of the new."""
    import numpy as np
    import polars as pl
    import torch

    from germane.evaluation.protocol import left_out
    from germane.jobs.train import cases_of, fit
    from germane.models import ContentNeighbours
    from germane.recommender import Recommender

    options = trained.config.evaluation
    ours = trained.recommender
    rival = Recommender(ContentNeighbours(fade=0.6), text=ours.text, features=(), exclude_seen=options.exclude_seen)
    fit(rival, trained.dataset, trained.split, trained.config.training, evaluation=options)
    cases, others = (cases_of(one, trained.dataset, trained.split, trained.part, options) for one in (ours, rival))
    new = ~cases.known_items
    found: list[dict[str, Any]] = []
    ours._eval()
    with torch.inference_mode():
        for begin in range(0, len(cases.rows), 128):
            rows = cases.rows[begin : begin + 128]
            target = trained.dataset.item_codes[rows]
            query, seen = left_out(cases.table, rows, options)
            keep = np.ones(len(rows), dtype=bool)
            keep[query[seen == target[query]]] = False
            own = ours.model.score(cases.table.queries(rows, ours.model.length)).double().numpy().copy()
            content = rival.model.score(others.table.queries(rows, rival.model.length)).double().numpy().copy()
            own[query, seen] = content[query, seen] = -np.inf
            for name, shelf in ((f"shelf by {type(ours.model).__name__}", own), (CONTENT, content)):
                for places, ranks in ranked(own, shelf, new, target).items():
                    for user, item, rank in zip(cases.table.users[rows][keep], target[keep], ranks[keep], strict=True):
                        found.append({"name": name, "places": places, "user": int(user), "new": bool(new[item]), "rank": int(rank)})
    frame = pl.DataFrame(found).with_columns(ndcg=pl.when(pl.col("rank") <= 10).then(1 / (pl.col("rank") + 1).log(2)).otherwise(0.0))
    frame = frame.with_columns(hit=(pl.col("rank") <= 10).cast(pl.Float64))
    rows = []
    for segment, part in (("all", frame), ("known items", frame.filter(~pl.col("new"))), ("new items", frame.filter("new"))):
        users = part.group_by("name", "places", "user").agg(pl.col("ndcg", "hit").mean())
        rows += users.group_by("name", "places").agg(pl.col("ndcg", "hit").mean(), n=pl.len()).with_columns(segment=pl.lit(segment)).to_dicts()
    for row in sorted(rows, key=lambda row: (row["name"], row["places"])):
        said = {"ndcg@10": {"value": row["ndcg"]}, "recall@10": {"value": row["hit"]}}
        about = {"name": row["name"], "variant": f"{row['places']} of 10 places", "segment": row["segment"]}
        trained.rows.append({**trained.rows[0], **about, "n": row["n"], "metrics": said, "p_against": {}})


def ranked(own: Any, shelf: Any, new: Any, target: Any) -> dict[int, Any]:
    """Places -> [cases] where the target stands if the last ``places`` of ten belong to the best of the new that stand no higher. 11: not shown."""
    import numpy as np

    at = np.arange(len(target))
    order = np.argsort(-own, axis=1, kind="stable")[:, :10]
    higher = (own >= own[at, target][:, None]).sum(1)
    higher = np.where(np.isneginf(own[at, target]), own.shape[1], higher)
    among_new = np.where(new, shelf, -np.inf)
    out = {}
    for places in PLACES:
        above = order[:, : 10 - places]
        rest = among_new.copy()
        np.put_along_axis(rest, above, -np.inf, axis=1)
        best = (rest >= rest[at, target][:, None]).sum(1)
        on_shelf = new[target] & ~np.isneginf(rest[at, target]) & (best <= places)
        out[places] = np.where(higher <= 10 - places, higher, np.where(on_shelf, 10 - places + best, 11))
    return out


def plot(summary: list[Row], axes: Any) -> None:
    own = next(row for row in summary if row["own"])["name"]
    for name, style in ((f"shelf by {own}", "-"), (CONTENT, "--")):
        for segment, colour in (("known items", "#2f6f9f"), ("new items", "#c8553d")):
            start = [(0, row) for row in summary if row["own"] and row["segment"] == segment]
            rest = [(int(row["variant"].split()[0]), row) for row in summary if row["name"] == name and row["segment"] == segment]
            if start + rest:
                places, rows = zip(*start, *rest, strict=True)
                axes.plot(places, [row["figures"]["ndcg@10"]["mean"] for row in rows], style, marker="o", color=colour, label=f"{segment}, {name}")
    axes.set_xlabel("places of ten that belong to new items")
    axes.set_ylabel("NDCG@10")
    axes.legend(frameon=False)


BENCHMARK = Benchmark(
    __file__,
    "New items: Amazon Beauty",
    plans=[Plan("cold_items", recipe("cold_items"), beside=shelves, needs="Beauty")],
    metrics=("ndcg@10", "recall@10"),
    segments=("all", "known items", "new items"),
    wanted=[
        Wanted("NDCG@10 on known items", "cold_items", segment="known items", least=0.05),
        Wanted(
            "NDCG@10 on new items, one place of ten given to them",
            "cold_items",
            segment="new items",
            name=CONTENT,
            variant="1 of 10 places",
            least=0.013,
        ),
        Wanted(
            "NDCG@10 on known items, one place of ten given away, over that without",
            "cold_items",
            segment="known items",
            name=CONTENT,
            variant="1 of 10 places",
            over={"name": "", "variant": "as trained"},
            least=0.97,
        ),
    ],
    plot=plot,
    caption="What giving places to new items costs the known and brings the new.",
)

if __name__ == "__main__":
    BENCHMARK.main()
