"""What a search leaves in its folder: the winner as a config, every trial, the summary, the picture of what mattered."""

from __future__ import annotations

import io
import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ...config import Config
from ...data.addresses import safe
from ...models import Blend
from ...paths import moved
from ..output import whole, write_text
from .space import Space
from .study import Attempt, Place
from .trial import Task

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["draw", "hanging_on_epochs", "winner", "write"]

INK, BLUE, FAINT = "#333333", "#1f5fa8", "#d9d9d9"


def winner(tried: Sequence[Attempt], smaller_is_better: bool) -> Attempt | None:
    """The best that was trained to its end, or to the end of the time; of equals the first."""
    able = [one for one in tried if one.may_win]
    sign = 1.0 if smaller_is_better else -1.0
    return min(able, key=lambda one: sign * (one.validation or 0.0), default=None)


def write(
    out: Path,
    task: Task,
    space: Space,
    place: Place,
    tried: Sequence[Attempt],
    best: Attempt,
    importances: Mapping[str, float],
    budget: Mapping[str, float],
    seconds: float,
) -> tuple[Config, tuple[str, ...]]:
    """All files; gives back the winner's config and what there is to say."""
    own = next((one for one in tried if one.own and one.validation is not None), None)
    states: dict[str, int] = {state: sum(one.state == state for one in tried) for state in dict.fromkeys(str(one.state) for one in tried)}
    made = _config(out, task, best, own, states)
    write_text(made.dump(), out / "best.toml")
    _json(out / "trials.json", {"format": 1, "metric": task.metric, "trials": [one.as_json() for one in tried]})
    told: dict[str, Any] = {"format": 1, "metric": task.metric, "smaller_is_better": task.smaller_is_better, "budget": dict(budget)}
    told |= {"spent": {"trials": sum(one.counts for one in tried), "seconds": round(seconds, 1)}, "states": states, "space": space.as_json()}
    told |= {"best": best.as_json(), "defaults": None if own is None else own.as_json(), "importances": dict(importances)}
    told |= {"study": {"storage": safe(place.address), "name": place.name}, **task.stamp}
    _json(out / "search.json", told)
    return made, _picture(out / "importances.svg", importances, task.metric)


def _config(out: Path, task: Task, best: Attempt, own: Attempt | None, states: Mapping[str, int]) -> Config:
    """The given config with the winner's options and epochs, readable from ``out``."""
    varied = task.varied(best.options)
    sections = moved(varied.sections, varied.base, out)
    why = [f"Found by germane search: validation {task.metric} {best.validation:.4g} (trial {best.number})"]
    if own is not None and not best.own:
        why[0] += f"; the config as it stood {own.validation:.4g}"
    why[0] += "; the test part was not looked at."
    why.append(f"Trials: {', '.join(f'{count} {state}' for state, count in states.items())}. Options that were searched: {', '.join(best.options)}.")
    if best.epochs:
        hanging = hanging_on_epochs(varied)
        if hanging:
            count = "hangs" if len(hanging) == 1 else "hang"
            why.append(f"Validation was best after epoch {best.epochs}; epochs stays, since {' and '.join(hanging)} {count} on it.")
        else:
            sections.setdefault("training", {})["epochs"] = best.epochs
            why.append(f"epochs = {best.epochs} is where validation was best.")
    return replace(Config.of(sections, out), why=tuple(why))


def hanging_on_epochs(config: Config) -> list[str]:
    """What would be another training with fewer ``epochs``: there these stay, and patience ends it as it did the trial."""
    training, text = config.training, config.encoder
    found = {
        "the learning rate's schedule": training.schedule != "constant",
        "warmup, a share of them,": 0 < training.warmup < 1,
        "swa": training.swa > 0,
        "when the language model begins to learn": text is not None and text.learns,
        "each member of a blend": isinstance(config.model, Blend),
    }
    return [what for what, hangs in found.items() if hangs]


def _json(path: Path, told: Mapping[str, Any]) -> None:
    write_text(json.dumps(told, ensure_ascii=False, indent=1) + "\n", path)


def _picture(path: Path, importances: Mapping[str, float], metric: str) -> tuple[str, ...]:
    if not importances:
        return ("too few trials ended for importances: they need four.",)
    if find_spec("matplotlib") is None:
        return ("the picture of importances is drawn by matplotlib: pip install 'germane[plots]'; search.json has the figures.",)
    from matplotlib import rc_context

    buffer = io.BytesIO()
    with rc_context({"svg.fonttype": "none", "svg.hashsalt": "germane"}):  # letters stay letters; the same figure is the same file
        draw(importances, metric).savefig(buffer, format="svg", metadata={"Date": None})
    with whole(path) as file:
        file.write(buffer.getvalue())
    return ()


def draw(importances: Mapping[str, float], metric: str) -> Figure:
    """A bar an option, the one that mattered most on top."""
    from matplotlib.figure import Figure

    names = list(importances)[::-1]
    figure = Figure(figsize=(6.4, 0.9 + 0.34 * len(names)), facecolor="white", layout="constrained")
    axes = figure.add_subplot()
    axes.barh(names, [importances[name] for name in names], color=BLUE, alpha=0.85)
    axes.set_title(f"What set the best quarter of the trials apart ({metric})", loc="left", fontsize=11, color=INK)
    axes.set(xlabel="share", xlim=(0, 1.08 * max(importances.values())))
    axes.grid(axis="x", color=FAINT, linewidth=0.6)
    axes.set_axisbelow(True)
    axes.tick_params(labelsize=9.5, colors=INK, length=0)
    axes.spines[["top", "right", "bottom"]].set_visible(False)
    axes.spines["left"].set_color(INK)
    return figure
