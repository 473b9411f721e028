"""Noise: random events, missing context, typing errors, and fake clicks on one item; the model beside the classics.

    python benchmarks/noise.py            # needs MovieLens 100K for the films, which fetches itself
    python benchmarks/noise.py --quick    # a rehearsal

The generated world and MovieLens 100K by time, the demo's configs, three seeds each. Training is noised, the questions are right, but for missing
context, which is missing in both.
"random events": so many training events on top, each of a random user with a random item in the moment of another event. "fake clicks": so
many training events on top, made by new users in the last tenth of the training period, each of whom takes four random items and then the item that
was taken least; "pushed@10" is the share of lists that show it. Typing errors are the row "typos in words".
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from _claims import Wanted
from _harness import Benchmark
from _plans import Plan, Row

CLASSICS = ("Popular", "ItemNeighbours")
COVER = 4
"""Random items that a fake user takes before the pushed one."""


def world(missing: float = 0.0, change: Callable[[Any, Any, Any], Any] | None = None) -> Callable[[int, Path], dict[str, Any]]:
    def sections(seed: int, folder: Path) -> dict[str, Any]:
        from _tables import as_files

        from germane.jobs.demo import WORLD, moments
        from germane.worlds import MomentWorld

        made = MomentWorld(**WORLD, missing=missing)
        said = moments(made, {}, seed)
        said["data"] = as_files(made.dataset(), folder)
        return noised(said, folder, change, ["typos in words"])

    return sections


def films(change: Callable[[Any, Any, Any], Any] | None = None) -> Callable[[int, Path], dict[str, Any]]:
    def sections(seed: int, folder: Path) -> dict[str, Any]:
        from germane.jobs.demo import films

        return noised(films("by-time", seed), folder, change, [])

    return sections


def noised(said: dict[str, Any], folder: Path, change: Callable[[Any, Any, Any], Any] | None, variants: list[str]) -> dict[str, Any]:
    """With training events on top; the baselines are fitted beside the run, where their lists are at hand."""
    import numpy as np
    import polars as pl
    from _tables import as_files, opened, parted

    dataset, split = opened(said, folder)
    events = parted(dataset, split)
    if change is not None:
        more = change(events.filter(pl.col("split") == "train"), dataset, np.random.default_rng(said["seed"]))
        events = pl.concat([events, more.select(events.columns).cast(dict(events.schema))]).sort("time", maintain_order=True)
    evaluation = {**said["evaluation"], "baselines": [], "variants": variants, "segments": ["all"]}
    return {**said, "data": as_files(dataset, folder, events), "split": {"use": "Given"}, "evaluation": evaluation}


def random_events(share: float) -> Callable[[Any, Any, Any], Any]:
    def change(train: Any, dataset: Any, rng: Any) -> Any:
        import polars as pl

        n = round(share * train.height)
        moments = train[rng.integers(0, train.height, n).tolist()]
        users, items = train["user"].unique(maintain_order=True), train["item"].unique(maintain_order=True)
        drawn = {"user": users.gather(rng.integers(0, len(users), n)), "item": items.gather(rng.integers(0, len(items), n))}
        return moments.with_columns(pl.Series(name, values) for name, values in drawn.items())

    return change


def fake_clicks(share: float) -> Callable[[Any, Any, Any], Any]:
    def change(train: Any, dataset: Any, rng: Any) -> Any:
        import numpy as np
        import polars as pl

        size = COVER + 1
        n = max(1, round(share * train.height / size))
        late = train[-max(1, train.height // 10) :]
        items = train["item"].unique(maintain_order=True).gather(rng.integers(0, train["item"].n_unique(), n * size))
        last = pl.Series(np.arange(n * size) % size == COVER)
        moments = late[np.sort(rng.integers(0, late.height, n)).repeat(size).tolist()]
        made = moments.with_columns(user=pl.Series([f"fake{k // size}" for k in range(n * size)]), item=items)
        return made.with_columns(item=pl.when(last).then(pl.lit(pushed(train))).otherwise("item"))

    return change


def pushed(train: Any) -> str:
    """The item of the training events that was taken least by real users; of several the first by name."""
    import polars as pl

    real = train.filter(~pl.col("user").str.starts_with("fake"))
    return str(real.group_by("item").len().sort("len", "item")["item"][0])


def beside(trained: Any) -> None:
    """The classics, and for every model the share of lists that show the pushed item."""
    from _tables import events_of

    from germane import models

    at = trained.dataset.item_index[pushed(events_of(trained.dataset.take(trained.split.train)))]
    trained.rows[0]["metrics"]["pushed@10"] = {"value": float((trained.tops(trained.recommender) == at).any(1).mean())}
    for name in CLASSICS:
        rival = trained.add_model(getattr(models, name)())
        row = next(row for row in trained.rows if row["name"] == name)
        row["metrics"]["pushed@10"] = {"value": float((trained.tops(rival) == at).any(1).mean())}


NOISE: dict[str, dict[str, Callable[[int, Path], dict[str, Any]]]] = {
    "world": {
        "": world(),
        ", 10 % random events": world(change=random_events(0.1)),
        ", 30 % random events": world(change=random_events(0.3)),
        ", 10 % of context missing": world(missing=0.1),
        ", 30 % of context missing": world(missing=0.3),
        ", 1 % fake clicks": world(change=fake_clicks(0.01)),
        ", 5 % fake clicks": world(change=fake_clicks(0.05)),
    },
    "films": {
        "": films(),
        ", 10 % random events": films(random_events(0.1)),
        ", 30 % random events": films(random_events(0.3)),
        ", 5 % fake clicks": films(fake_clicks(0.05)),
    },
}
NEEDS = {"world": None, "films": "MovieLens100K"}


def plot(summary: list[Row], axes: Any) -> None:
    """The world: each noise as a share of what there was without it."""
    figures = {
        (row["plan"], "the model" if row["own"] else row["name"]): row["figures"]["ndcg@10"]["mean"]
        for row in summary
        if row["variant"] == "as trained"
    }
    labels = [label for label in NOISE["world"] if label and ("world" + label, "the model") in figures]
    for place, (name, colour) in enumerate((("the model", "#2f6f9f"), *zip(CLASSICS, ("#b8b8b8", "#8a8a8a"), strict=True))):
        if ("world", name) in figures:
            heights = [figures.get(("world" + label, name), 0) / figures["world", name] for label in labels]
            axes.barh([n + (1 - place) * 0.27 for n in range(len(labels))], heights, 0.25, color=colour, label=name)
    axes.axvline(1, color="#444444", linewidth=0.8)
    axes.set_yticks(range(len(labels)), [label.removeprefix(", ") for label in labels])
    axes.set_xlabel("NDCG@10 in the generated world, as a share of that without noise")
    axes.legend(frameon=False, loc="lower left", bbox_to_anchor=(0, 1), ncols=3)


BENCHMARK = Benchmark(
    __file__,
    "Noise",
    plans=[
        Plan(
            name + label,
            sections,
            beside=beside,
            needs=NEEDS[name],
            against=name if label else None,
            users=150,
            rehearsed="30 %" not in label and "1 %" not in label,
        )
        for name, kinds in NOISE.items()
        for label, sections in kinds.items()
    ],
    metrics=("ndcg@10", "pushed@10"),
    wanted=[
        *(
            Wanted(f"{name}{label}: NDCG@10 over that without noise", name + label, over={"plan": name}, least=0.9)
            for name, kinds in NOISE.items()
            for label in kinds
            if label and not label.startswith(", 30 %")
        ),
        Wanted("world: NDCG@10 with typing errors over that without", "world", variant="typos in words", over={"variant": "as trained"}, least=0.8),
        Wanted("films, 5 % fake clicks: lists that show the pushed film", "films, 5 % fake clicks", "pushed@10", most=0.1),
    ],
    plot=plot,
    caption="What is left of NDCG@10 under each noise, by model.",
)

if __name__ == "__main__":
    BENCHMARK.main()
