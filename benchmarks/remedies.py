"""Against overfitting, each remedy alone: what it changes where a tenth of the training events is left.

    GERMANE_DATA=... python benchmarks/remedies.py    # MovieLens 100K fetches itself, Amazon Beauty needs the folder
    python benchmarks/remedies.py --quick             # a rehearsal

MovieLens 100K by time (configs/movielens.toml) and Amazon Beauty leave-last-out (configs/beauty.toml, without `refit`), with 10 % of the training and
validation events, drawn anew for each of three seeds; the test part is whole. "as it is" is the recipe, which has dropout .2 (films) or .4, identity
dropout .1 and weight decay .01; "no dropout" is the recipe without all three, and each other plan changes one thing of the recipe. `gain` is NDCG@10
over that of the recipe with the same seed, as a mean over users, and p is that of its paired test; the JSON holds the 95 % interval of each run.
"running mean" keeps a mean of the weights after each step (.99); "SWA" that of the ends of epochs from half of them on, at a constant learning rate.
"three as one" adds up the scores of three models with seeds of their own, "snapshots" those of three that follow each other in one training, each
with a third of the epochs. "soup" averages the weights of three, trained from the same start at .7, 1 and 1.4 times the learning rate, where that
does not make validation worse. "contrast .1" and "masked .1" learn from histories alone, too: which views are of one, and what was hidden.
Texts can be varied only where a language model learns from them: "tuned" is Beauty with texts alone and LoRA, as in fine_tuning.py, one item in ten
out of training. Remedies that do not help stand here like the others.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from _between import users_file
from _harness import Benchmark
from _plans import Plan, Row, recipe

SHARE = 0.1
RECIPE = "as it is"
DROPPED = ("dropout", "identity_dropout", "context_dropout", "profile_dropout")
REMEDIES: dict[str, dict[str, Any]] = {
    RECIPE: {},
    "no dropout": {
        "model": {"dropout": 0.0, "identity_dropout": 0.0, "context_dropout": 0.0, "profile_dropout": 0.0},
        "training": {"weight_decay": 0.0},
    },
    "more dropout": {"model": {"dropout": 0.5}},
    "weight decay .1": {"training": {"weight_decay": 0.1}},
    "label smoothing .1": {"training": {"label_smoothing": 0.1}},
    "crop": {"training": {"augment": {"crop": 0.5}}},
    "mask": {"training": {"augment": {"mask": 0.5}}},
    "reorder": {"training": {"augment": {"reorder": 0.5}}},
    "insert": {"training": {"augment": {"insert": 0.5}}},
    "contrast .1": {"training": {"contrast": {"weight": 0.1}}},
    "masked .1": {"training": {"masked": {"weight": 0.1}}},
    "crop, mask, reorder, insert": {"training": {"augment": {"crop": 0.2, "mask": 0.3, "reorder": 0.2, "insert": 0.2}}},
    "FGM": {"training": {"adversarial": {"kind": "fgm"}}},
    "PGD": {"training": {"adversarial": {"kind": "pgd"}}},
    "AWP": {"training": {"adversarial": {"kind": "awp"}}},
    "APR": {"training": {"adversarial": {"kind": "apr"}}},
    "running mean": {"training": {"average": 0.99}},
    "SWA": {"training": {"swa": 0.5, "schedule": "constant"}},
    "three as one": {},
    "snapshots": {},
    "soup": {},
}
OF_TEXTS: dict[str, dict[str, Any]] = {
    RECIPE: {},
    "synonyms": {"text": {"augment": ["Synonyms"]}},
    "round trip": {"text": {"augment": ["RoundTrip"]}},
    "token dropout": {"text": {"augment": ["TokenDropout"]}},
    "synonyms, token dropout": {"text": {"augment": ["Synonyms", "TokenDropout"]}},
}
SETS: dict[str, tuple[str, dict[str, dict[str, Any]]]] = {
    "films": ("MovieLens100K", REMEDIES),
    "beauty": ("Beauty", REMEDIES),
    "tuned": ("Beauty", OF_TEXTS),
}
"""The source, and the remedies that are tried on it."""
RATES = (0.7, 1.0, 1.4)
Sections = dict[str, Any]


def whole(name: str) -> Callable[[int, Path], Sections]:
    """With all events."""
    if name != "tuned":
        return recipe({"films": "movielens", "beauty": "beauty"}[name])
    from fine_tuning import tuned

    made: Callable[[int, Path], Sections] = tuned("lora", alone=True)
    return made


def lacks(remedy: str) -> Callable[[], str | None] | None:
    """Why its texts cannot be varied here."""
    said = OF_TEXTS.get(remedy, {}).get("text", {}).get("augment", ())

    def reason() -> str | None:
        from germane.encoders import augmentation

        reasons = (getattr(augmentation, name)().missing() for name in said)
        return next((reason for reason in reasons if reason is not None), None)

    return reason if said else None


def tenth(name: str, remedy: str) -> Callable[[int, Path], Sections]:
    def sections(seed: int, folder: Path) -> Sections:
        import numpy as np
        from _tables import as_files, opened, parted

        from germane.data import Split

        said = whole(name)(seed, folder)
        dataset, split = opened(said, folder)
        rng = np.random.default_rng(seed)

        def some(rows: Any) -> Any:
            return np.sort(rng.choice(rows, max(1, round(len(rows) * SHARE)), replace=False))

        kept = Split(some(split.train), some(split.validation), split.test, "given")
        said["training"] = {key: value for key, value in said["training"].items() if key != "refit"}
        for section, changes in SETS[name][1][remedy].items():
            said[section] = {**said[section], **changes}
        if remedy == "three as one":
            said["model"] = {"use": "Blend", "members": [said["model"]] * 3}
        if remedy == "snapshots":
            said["model"] = {"use": "Blend", "members": [said["model"]] * 3, "snapshots": True}
            said["training"] |= {"epochs": -(-said["training"]["epochs"] // 3)}
        evaluation = {**said["evaluation"], "baselines": [], "variants": [], "segments": ["all"]}
        return {**said, "data": as_files(dataset, folder, parted(dataset, kept)), "split": {"use": "Given"}, "evaluation": evaluation}

    return sections


def beside(name: str, remedy: str) -> Callable[[Any], None]:
    def judged(trained: Any) -> None:
        import polars as pl

        if remedy == "soup":
            cook(trained)
        own = pl.read_parquet(trained.run / "per_user.parquet")
        quick = "epochs" in trained.config.sections["training"] and trained.config.training.epochs == 1
        file = users_file("remedies", f"{name}, {RECIPE}", trained.config.seed, quick)
        if remedy != RECIPE and file.exists():
            trained.rows[0]["metrics"]["gain"] = gain(own, pl.read_parquet(file))

    return judged


def gain(ours: Any, theirs: Any, figure: str = "ndcg@10") -> Mapping[str, float]:
    """The mean difference over users, and its interval."""
    from germane.metrics import bootstrap_interval

    both = ours.join(theirs, on="user").sort("user").select(figure, f"{figure}_right").drop_nulls()
    gaps = both[figure].to_numpy() - both[f"{figure}_right"].to_numpy()
    low, high = bootstrap_interval(gaps)
    return {"value": float(gaps.mean()), "low": low, "high": high}


def cook(trained: Any) -> None:
    """The run that is there, two more from the same start, and their greedy soup in its place."""
    import shutil

    from germane.config import Config
    from germane.jobs.run import train_run
    from germane.jobs.soup import soup

    said, folder = trained.config.sections, trained.run.parent
    rate = trained.config.training.learning_rate
    runs = [trained.run]
    for factor in RATES:
        if factor != 1.0:
            changed = {**said, "training": {**said["training"], "learning_rate": rate * factor}}
            runs.append(train_run(Config.of(changed, trained.config.base), folder / f"at-{factor}")[0])
    made, judged = soup(runs, folder / "soup", greedy=True)
    trained.rows[:] = [row for row in judged.rows if row["split"] == "test"]
    shutil.copy(made / "per_user.parquet", trained.run / "per_user.parquet")


def plot(summary: list[Row], axes: Any) -> None:
    """What each remedy gains over the recipe."""
    labels = [remedy for remedy in dict.fromkeys((*REMEDIES, *OF_TEXTS)) if remedy != RECIPE]
    for place, (name, colour) in enumerate(zip(SETS, ("#2f6f9f", "#b8b8b8", "#c8553d"), strict=True)):
        told = {row["plan"].removeprefix(f"{name}, "): row["figures"]["gain"] for row in summary if row["own"] and "gain" in row["figures"]}
        there = [n for n, label in enumerate(labels) if label in told and any(row["plan"] == f"{name}, {label}" for row in summary)]
        means, spreads = [told[labels[n]]["mean"] for n in there], [told[labels[n]]["spread"] or 0 for n in there]
        axes.barh([n + 0.4 * min(place, 1) for n in there], means, 0.38, xerr=spreads, color=colour, label=name, error_kw={"elinewidth": 0.8})
    axes.axvline(0, color="#444444", linewidth=0.8)
    axes.set_yticks([n + 0.2 for n in range(len(labels))], labels)
    axes.invert_yaxis()
    axes.set_xlabel("NDCG@10 over the recipe's; the line is the spread over seeds")
    axes.legend(frameon=False)


REHEARSED = {
    *(("films", remedy) for remedy in (RECIPE, "crop, mask, reorder, insert", "masked .1", "AWP", "SWA", "three as one", "snapshots", "soup")),
    ("tuned", "token dropout"),
}

BENCHMARK = Benchmark(
    __file__,
    "Remedies against overfitting",
    plans=[
        Plan(
            f"{name}, {remedy}",
            tenth(name, remedy),
            beside=beside(name, remedy),
            needs=source,
            lacks=lacks(remedy),
            against=None if remedy == RECIPE else f"{name}, {RECIPE}",
            users=60 if name == "tuned" else 200,
            rehearsed=(name, remedy) in REHEARSED,
        )
        for name, (source, remedies) in SETS.items()
        for remedy in remedies
    ],
    metrics=("ndcg@10", "gain"),
    plot=plot,
    caption="What each remedy gains or loses over the recipe, with a tenth of the training events.",
)

if __name__ == "__main__":
    BENCHMARK.main()
