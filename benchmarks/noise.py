"""Noise: random events, missing context, fake clicks on one item, typing errors and paraphrases; the model beside the classics, tuned beside frozen.

    GERMANE_DATA=... python benchmarks/noise.py    # MovieLens 100K fetches itself, Amazon Beauty needs the folder
    python benchmarks/noise.py --quick             # a rehearsal

The generated world and MovieLens 100K by time, the demo's configs, three seeds each. Training is noised, the questions are right, but for missing
context, which is missing in both.
"random events": so many training events on top, each of a random user with a random item in the moment of another event. "fake clicks": so
many training events on top, made by new users in the last tenth of the training period, each of whom takes four random items and then the item that
was taken least; "pushed@10" is the share of lists that show it. What was typed is asked again in "typos in words", "synonyms in words" and
"paraphrased words".

"beauty" are 3,000 users of Amazon Beauty, one item in ten out of training (its shelf is "new among new"), six epochs as in fine_tuning.py. With texts
alone: the language model frozen; with LoRA; and with LoRA on texts that token dropout and typing errors vary. With identities and side features:
the recipe, the recipe with masked histories, and with FGM. There a random event stands behind one of its user's own, since Beauty has no times.
Texts of items that come otherwise than in training are the rows "typos in texts" (so many of the longer words), "synonyms in texts" (half of the
words; needs WordNet) and "paraphrased texts" (into Spanish and back; needs apertium).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from _claims import Wanted
from _harness import Benchmark
from _plans import Plan, Row

CLASSICS = ("Popular", "ItemNeighbours")
COVER = 4
"""Random items that a fake user takes before the pushed one."""
CUT = 3_000
"""Users of Amazon Beauty."""
TYPOS = (0.2, 0.5, 1.0)
"""Of the words of four letters or more in items' texts."""
METHODS: dict[str, tuple[str, bool, dict[str, dict[str, Any]]]] = {
    "frozen": ("frozen", True, {}),
    "lora": ("lora", True, {}),
    "lora and augment": ("lora", True, {"text": {"augment": [{"use": "TokenDropout", "share": 0.1}, {"use": "Typos", "share": 0.2}]}}),
    "recipe": ("frozen", False, {}),
    "recipe and mask": ("frozen", False, {"training": {"augment": {"mask": 0.5}}}),
    "recipe and FGM": ("frozen", False, {"training": {"adversarial": {"kind": "fgm"}}}),
}
"""The tuning, whether texts stand alone, and what else differs."""


def world(missing: float = 0.0, change: Callable[[Any, Any, Any], Any] | None = None) -> Callable[[int, Path], dict[str, Any]]:
    def sections(seed: int, folder: Path) -> dict[str, Any]:
        from _tables import as_files

        from germane.jobs.demo import WORLD, moments
        from germane.worlds import MomentWorld

        made = MomentWorld(**WORLD, missing=missing)
        said = moments(made, {}, seed)
        said["data"] = as_files(made.dataset(), folder)
        return noised(said, folder, change, ["typos in words", "synonyms in words", "paraphrased words"])

    return sections


def films(change: Callable[[Any, Any, Any], Any] | None = None) -> Callable[[int, Path], dict[str, Any]]:
    def sections(seed: int, folder: Path) -> dict[str, Any]:
        from germane.jobs.demo import films

        return noised(films("by-time", seed), folder, change, [])

    return sections


def shop(method: str, change: Callable[[Any, Any, Any], Any] | None = None) -> Callable[[int, Path], dict[str, Any]]:
    tuning, alone, changes = METHODS[method]

    def sections(seed: int, folder: Path) -> dict[str, Any]:
        from _tables import as_files, fewer_users, opened
        from fine_tuning import tuned

        said = tuned(tuning, alone=alone)(seed, folder)
        for section, keys in changes.items():
            said[section] = {**said[section], **keys}
        dataset, _ = opened(said, folder)
        said["data"] = as_files(dataset.take(fewer_users(dataset, CUT)), folder, all_items=False)
        variants = ["synonyms in texts", "paraphrased texts"] if change is None else []
        return noised(said, folder, change, variants, ["all", "new among new"])

    return sections


def noised(
    said: dict[str, Any], folder: Path, change: Callable[[Any, Any, Any], Any] | None, variants: list[str], segments: Sequence[str] = ("all",)
) -> dict[str, Any]:
    """With training events on top; the baselines are fitted beside the run, where their lists are at hand."""
    import numpy as np
    import polars as pl
    from _tables import as_files, opened, parted

    dataset, split = opened(said, folder)
    events = parted(dataset, split)
    if change is not None:
        numbered = events.with_row_index("row")
        more = change(numbered.filter(pl.col("split") == "train"), dataset, np.random.default_rng(said["seed"]))
        events = pl.concat([numbered, more.select(numbered.columns).cast(dict(numbered.schema))]).sort("row", maintain_order=True).drop("row")
    evaluation = {**said["evaluation"], "baselines": [], "variants": variants, "segments": list(segments)}
    return {**said, "data": as_files(dataset, folder, events), "split": {"use": "Given"}, "evaluation": evaluation}


def random_events(share: float, *, own: bool = False) -> Callable[[Any, Any, Any], Any]:
    """``own``: in a moment of the user's own."""

    def change(train: Any, dataset: Any, rng: Any) -> Any:
        import polars as pl

        n = round(share * train.height)
        moments = train[rng.integers(0, train.height, n).tolist()]
        users, items = moments["user"] if own else train["user"].unique(maintain_order=True), train["item"].unique(maintain_order=True)
        drawn = {"user": users if own else users.gather(rng.integers(0, len(users), n)), "item": items.gather(rng.integers(0, len(items), n))}
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


def mistyped(trained: Any) -> None:
    """Rows of what the model makes of items' texts with more and more typing errors."""
    import polars as pl

    from germane.encoders.augmentation import Typos
    from germane.evaluation import cases_of, judge_cases, paired, rows_of
    from germane.evaluation.variants import reading

    ours, options, like = trained.recommender, trained.config.evaluation, trained.rows[0]
    cases = cases_of(ours, trained.dataset, trained.learnt, trained.part, options)
    for share in TYPOS:
        model, variant = reading(Typos(share=share))(cases, ours, ours.seed), typos(share)
        if model is None:  # a rehearsal without texts
            return
        lists, shelf = (judge_cases(model, cases, options, **among) for among in ({}, {"among": ~cases.known_items}))
        about = {key: like[key] for key in ("name", "protocol", "split", "seed")}
        trained.rows += rows_of(lists, pl.DataFrame(), cases, options.segments, shelf, variant=variant, **about)
        like["p_against"][variant] = paired(trained.judged.cases, lists, metric=trained.metric, seed=trained.config.seed)


def typos(share: float) -> str:
    return f"typos in texts, {share * 100:.0f} %"


def beside(classics: bool, texts: bool) -> Callable[[Any], None]:
    """For every model the share of lists that show the pushed item; the classics, and items' texts with typing errors, where they are wanted."""

    def judged(trained: Any) -> None:
        from _tables import events_of

        from germane import models

        at = trained.dataset.item_index[pushed(events_of(trained.dataset.take(trained.split.train)))]
        trained.rows[0]["metrics"]["pushed@10"] = {"value": float((trained.tops(trained.recommender) == at).any(1).mean())}
        if texts:
            mistyped(trained)
        for name in CLASSICS if classics else ():
            rival = trained.add_model(getattr(models, name)())
            row = next(row for row in trained.rows if row["name"] == name)
            row["metrics"]["pushed@10"] = {"value": float((trained.tops(rival) == at).any(1).mean())}

    return judged


NOISE: dict[str, dict[str, Callable[[int, Path], dict[str, Any]]]] = {
    "world": {
        "": world(),
        **{f", {n} % random events": world(change=random_events(n / 100)) for n in (10, 30, 50)},
        **{f", {n} % of context missing": world(missing=n / 100) for n in (10, 30, 50)},
        **{f", {n} % fake clicks": world(change=fake_clicks(n / 100)) for n in (1, 5, 10)},
    },
    "films": {
        "": films(),
        **{f", {n} % random events": films(random_events(n / 100)) for n in (10, 30, 50)},
        ", 5 % fake clicks": films(fake_clicks(0.05)),
    },
    **{
        f"beauty, {method}": {
            "": shop(method),
            **{f", {n} % random events": shop(method, random_events(n / 100, own=True)) for n in (10, 30, 50)},
            ", 5 % fake clicks": shop(method, fake_clicks(0.05)),
        }
        for method in METHODS
    },
}
REHEARSED = {
    *("world", "world, 10 % random events", "world, 10 % of context missing", "world, 5 % fake clicks"),
    *("films, 5 % fake clicks", "beauty, lora and augment", "beauty, recipe and mask, 10 % random events"),
}


def plan(name: str, label: str) -> Plan:
    shop = name.startswith("beauty")
    needs = "Beauty" if shop else "MovieLens100K" if name == "films" else None
    more = beside(classics=not shop or name == "beauty, frozen", texts=shop and not label)
    users = 40 if shop else 150
    return Plan(
        name + label, NOISE[name][label], beside=more, needs=needs, against=name if label else None, users=users, rehearsed=name + label in REHEARSED
    )


def plot(summary: list[Row], axes: Any) -> None:
    """What random events leave, as a share of what there was without them."""
    figures = {
        (row["plan"], "" if row["own"] else row["name"]): row["figures"]["ndcg@10"]["mean"]
        for row in summary
        if (row["variant"], row["segment"]) == ("as trained", "all")
    }
    for name in NOISE:
        for model in ("", "ItemNeighbours") if name in ("world", "films") else ("",):
            levels = {n: figures.get((f"{name}, {n} % random events" if n else name, model)) for n in (0, 10, 30, 50)}
            there = {n: value / (levels[0] or 1) for n, value in levels.items() if value is not None}
            if 0 in there and len(there) > 1:
                axes.plot(list(there), list(there.values()), marker="o", linestyle="--" if model else "-", label=f"{name}{model and ', '}{model}")
    axes.set_xlabel("% random events on top of the training events")
    axes.set_ylabel("NDCG@10, of that without")
    axes.legend(frameon=False, fontsize=7, loc="center left", bbox_to_anchor=(1, 0.5))


def held(name: str, variant: str, other: str) -> Wanted:
    return Wanted(
        f"{name}, {variant}: NDCG@10 over that of {other}", f"beauty, {name}", variant=variant, over={"plan": f"beauty, {other}"}, least=1.0
    )


BENCHMARK = Benchmark(
    __file__,
    "Noise",
    plans=[plan(name, label) for name, kinds in NOISE.items() for label in kinds],
    segments=("all", "new among new"),
    metrics=("ndcg@10", "pushed@10"),
    wanted=[
        *(
            Wanted(f"{name}{label}: NDCG@10 over that without noise", name + label, over={"plan": name}, least=0.9)
            for name, kinds in NOISE.items()
            for label in kinds
            if label.startswith((", 1 %", ", 5 %", ", 10 %")) and label != ", 10 % fake clicks"
        ),
        Wanted("world: NDCG@10 with typing errors over that without", "world", variant="typos in words", over={"variant": "as trained"}, least=0.8),
        Wanted("films, 5 % fake clicks: lists that show the pushed film", "films, 5 % fake clicks", "pushed@10", most=0.1),
        *(held("lora", variant, "frozen") for variant in (typos(0.5), "synonyms in texts", "paraphrased texts")),
        *(held("lora and augment", variant, "lora") for variant in (typos(0.5), "synonyms in texts", "paraphrased texts")),
        *(
            Wanted(
                f"{remedy}, 30 % random events: NDCG@10 over that of the recipe",
                f"beauty, {remedy}, 30 % random events",
                over={"plan": "beauty, recipe, 30 % random events"},
                least=1.0,
            )
            for remedy in ("recipe and mask", "recipe and FGM")
        ),
    ],
    plot=plot,
    caption="What random events in training leave of NDCG@10.",
)

if __name__ == "__main__":
    BENCHMARK.main()
