"""``germane demo``: MovieLens 100K by time and leave-last-out, and a generated world with a known truth, beside honest baselines."""

from __future__ import annotations

import copy
import tempfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from ..bundle import read_json
from ..config import Config, apply, read_toml
from ..errors import ConfigError, RunError
from ..seal import metrics_file, rewrite
from ..worlds import MomentWorld
from .progress import training_bar
from .run import train_run

__all__ = ["demo", "films", "films_kept_out", "moments", "table", "written"]

CHOSEN: Mapping[str, Mapping[str, Mapping[str, Any]]] = {
    "by-time": {
        "PopularLately": {"days": 14},
        "ItemNeighbours": {"neighbours": 200, "shrink": 3.0, "fade": 0.6},
        "ContextTransformer": {"width": 64, "blocks": 2, "heads": 1, "dropout": 0.2, "identity_dropout": 0.0, "context_dropout": 0.1},
        "training": {"epochs": 12, "learning_rate": 0.002},
    },
    "leave-last-out": {
        "PopularLately": {"days": 60},
        "ItemNeighbours": {"neighbours": 200, "shrink": 3.0, "fade": 0.6},
        "ContextTransformer": {"width": 64, "blocks": 1, "heads": 1, "dropout": 0.2, "identity_dropout": 0.1, "context_dropout": 0.3},
        "training": {"epochs": 20, "learning_rate": 0.001},
    },
}
"""Options for each protocol, chosen on validation by benchmarks/demo_tuning.py, which gave every model as many trials."""

AS_TUNED: Mapping[str, Any] = {"values": False}
"""What the tuning held fixed: the ratings of past films are not read, which leave-last-out gained nothing by (LOG.md)."""

COUNTED: Mapping[str, Any] = {"co_occurrence": 1.0, "co_occurrence_reverse": 1.0, "co_occurrence_shrink": 0.0}
"""What came after the tuning, chosen on validation for both protocols at once (LOG.md)."""

SPLITS: Mapping[str, Mapping[str, Any]] = {"by-time": {"use": "ByTime"}, "leave-last-out": {"use": "LeaveLastOut"}}
WORLD: Mapping[str, Any] = {"users": 500, "items": 200, "events": 30_000, "words": 0.3}
CHANGEABLE = ("seed", "text", "model", "policy", "training")
"""What ``--set`` may speak of; the rest is what the table compares."""
WORLD_EPOCHS = 14
KEPT_OUT_EPOCHS = 6


def demo(
    run: str | Path = "runs/demo",
    *,
    text: Mapping[str, Any] | None = None,
    sets: Sequence[str] = (),
    quiet: bool = False,
    say: Callable[[str], Any] = print,
) -> list[dict[str, Any]]:
    """Train, judge, print the table and save three runs: by time in ``run``, the others below it. Returns the rows of the table.

    ``text``: a ``[text]`` section instead of the default language model. ``sets``: ``section.key=value`` on top of all configs, of ``CHANGEABLE``.
    An earlier demo in the same place is replaced.
    """
    target = Path(run)
    if target.exists() and not _is_demo(target):
        raise RunError(f"{target} exists and holds no demo, which is all that a demo replaces: choose another folder with -o.")
    said = {"text": dict(text)} if text is not None else {}
    for change in sets:
        _check_change(change)

    def changed(sections: Mapping[str, Any]) -> dict[str, Any]:
        out = copy.deepcopy({**sections, **said})
        for change in sets:
            apply(out, change)
        return out

    Config.of(changed(films("by-time")), target.parent)  # faults come before anything is said
    say("MovieLens 100K: who rated which film when. 68 % of its people rate within one day, so it holds little context.")
    rows = _trained(changed(films("by-time")), target, "by time", quiet, say)
    rows += _trained(changed(films("leave-last-out")), target / "leave-last-out", "leave-last-out", quiet, say)
    with tempfile.TemporaryDirectory() as scratch:
        for row in _trained(changed(films_kept_out()), Path(scratch) / "run", "films kept out of training", quiet, say):
            rows.append({**row, "variant": "films kept out"})
    rewrite(target, {"metrics.json": metrics_file(rows, read_json(target, "metrics.json").get("judged"))})
    say(table(rows))
    say("Seen films are left out of lists; where events are tied in time, the order of the file decides.\n")
    world = MomentWorld(**WORLD)
    say(f"{world}: the moment decides, and the truth is known. Films may be seen again.")
    tables = written(world, target / "world-tables")
    sections = changed(moments(world, tables))
    worldly = _trained(sections, target / "world", "a generated world", quiet, say)
    say(table(worldly))
    say(_best(world, sections, target, worldly))
    say(_kept(worldly))
    return rows + worldly


def _is_demo(folder: Path) -> bool:
    """Whether a demo was made there, or begun: by what ``--set`` cannot change in it."""
    if (folder / "about.json").exists() and (folder / "world-tables").is_dir():
        return True
    try:
        said, own = read_toml(folder / "config.toml"), films("by-time")
    except ConfigError:
        return False
    return all(said.get(name) == own[name] for name in ("data", "split", "evaluation"))


def _check_change(change: str) -> None:
    """Refuse what would make it another demonstration."""
    key = change.partition("=")[0].strip()
    if key.partition(".")[0] not in CHANGEABLE or key in ("model", "model.use"):
        raise ConfigError(
            f"--set {change!r}: the demo shows one model on its own data; what can be changed is {', '.join(CHANGEABLE)}, but not model.use. "
            "For all else give germane train a config."
        )


def films(protocol: str, seed: int = 0) -> dict[str, Any]:
    """The config of one protocol: training and validation events train, the epochs being chosen already."""
    chosen = CHOSEN[protocol]
    rivals = [{"use": "Popular"}, *({"use": name, **chosen[name]} for name in ("PopularLately", "ItemNeighbours"))]
    return {
        "seed": seed,
        "data": {"use": "MovieLens100K"},
        "split": {**SPLITS[protocol], "validation": 0},
        "model": {"use": "ContextTransformer", **AS_TUNED, **COUNTED, **chosen["ContextTransformer"]},
        "training": dict(chosen["training"]),
        "evaluation": {"baselines": rivals, "variants": ["without context", "context shuffled"]},
    }


def films_kept_out(seed: int = 0) -> dict[str, Any]:
    """By time, every tenth film out of training altogether, and a tenth of the places for them: how the model places what nobody has touched."""
    said = films("by-time", seed)
    said["model"] |= {"new_item_share": 0.1}
    said["data"]["rules"] = {"hold_out_items": 10}
    said["training"]["epochs"] = KEPT_OUT_EPOCHS
    said["evaluation"] = {"segments": ["new items", "known items"], "variants": []}
    return said


def moments(world: MomentWorld, tables: Mapping[str, str], seed: int = 0) -> dict[str, Any]:
    """The config of a generated world whose tables are written to files."""
    return {
        "seed": seed,
        "data": {**tables, "columns": world.columns},
        "split": {"use": "ByTime", "validation": 0},
        "model": {"use": "ContextTransformer", "co_occurrence": 0.0},  # what the moment decides is seen best without what comes after what
        "training": {"epochs": WORLD_EPOCHS},
        "evaluation": {
            "exclude_seen": False,
            "segments": ["all"],
            "baselines": ["Popular", "ItemNeighbours"],
            "variants": ["without context", "context shuffled", "context missing", "typos in words"],
        },
    }


def _trained(sections: Mapping[str, Any], run: Path, what: str, quiet: bool, say: Callable[[str], Any]) -> list[dict[str, Any]]:
    config = Config.of(sections, run.parent)
    with training_bar(quiet, what) as progress:
        _, judged = train_run(config, run, replace=True, progress=progress)
    seconds = read_json(run, "about.json")["seconds"]["total"]
    say(f"{what}: {seconds:.0f} s")
    return judged.rows


def written(world: MomentWorld, folder: Path) -> dict[str, str]:
    """The world's tables as files, as a product team would bring them."""
    folder.mkdir(parents=True, exist_ok=True)
    names = {}
    for name, frame in zip(("events", "items", "users"), world.frames(), strict=True):
        frame.write_parquet(folder / f"{name}.parquet")
        names[name] = f"{folder.name}/{name}.parquet"
    return names


def _best(world: MomentWorld, sections: Mapping[str, Any], base: Path, rows: list[dict[str, Any]]) -> str:
    """How near the model comes to the best that can be expected on the same held-out events."""
    config = Config.of(sections, base)
    dataset = config.dataset()
    held_out = dataset.take(config.split.divide(dataset).test)
    lines = []
    for variant, known in (("as trained", True), ("without context", False)):
        reached = next(r for r in rows if r["variant"] == variant and r["name"] == "ContextTransformer")["metrics"]["ndcg@10"]["value"]
        best = world.best_ndcg(held_out, know_context=known)
        lines.append(f"Best possible {'with' if known else 'without'} context: NDCG@10 {best:.4f}; the model reaches {reached / best:.0%} of it.")
    return "\n".join(lines)


def _kept(rows: list[dict[str, Any]]) -> str:
    """What is left of the figure where a query is incomplete or mistyped."""
    figures = {row["variant"]: row["metrics"]["ndcg@10"]["value"] for row in rows if row["name"] == "ContextTransformer"}
    asked = (("context missing", "10% of context values missing"), ("typos in words", "a typing error in each longer word that is typed"))
    kept = [f"{figures[variant] / figures['as trained']:.0%} with {what}" for variant, what in asked]
    return f"Of its NDCG@10 the model keeps {' and '.join(kept)}."


def table(rows: list[dict[str, Any]]) -> str:
    """Rows of one or more runs as text: of the rivals what all cases say, of the model each segment too.

    The last column is the p of a paired test of the run's model against the row.
    """
    lines = [f"{'protocol':<16}{'model':<20}{'variant':<18}{'segment':<14}{'users':>6}  {'NDCG@10 (95 %)':<24}p against"]
    against: dict[str, float] = {}
    model = ""
    for row in rows:
        if row["p_against"]:
            against, model = row["p_against"], row["name"]
        if row["segment"] != "all" and (row["name"] != model or row["variant"] not in ("as trained", "films kept out")):
            continue
        figure = row["metrics"]["ndcg@10"]
        shown = f"{figure['value']:.4f} ({figure['low']:.4f}–{figure['high']:.4f})"
        rival = row["name"] if row["variant"] == "as trained" else row["variant"]
        p = f"{against[rival]:.4f}" if row["segment"] == "all" and rival in against else ""
        lines.append(f"{row['protocol']:<16}{row['name']:<20}{row['variant']:<18}{row['segment']:<14}{row['n']:>6}  {shown:<24}{p}".rstrip())
    return "\n".join(lines)
