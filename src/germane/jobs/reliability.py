"""What became of a click head's probabilities: as a diagram, or as JSON."""

from __future__ import annotations

import io
import json
from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl

from ..errors import AbilityError, ConfigError, DataError, nearest
from ..metrics import ece, reliability
from ..recommender import Recommender
from .output import whole

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["FORMS", "check_labels", "check_reliability", "draw", "shown", "write_reliability"]

FORMS = (".svg", ".png", ".json")
BARS = 40
INK, BLUE, FAINT = "#333333", "#1f5fa8", "#d9d9d9"


def check_reliability(path: str | Path, recommender: Recommender) -> None:
    """Refuse, before anything is judged, a file that could not be written and a run that has nothing to show.

    >>> from germane.models import Popular
    >>> check_reliability("clicks.pdf", Recommender(Popular()))
    Traceback (most recent call last):
    ...
    germane.errors.ConfigError: clicks.pdf ends in .pdf: a reliability diagram ends in .svg, .png, .json.
    """
    form = Path(path).suffix.lower()
    if form not in FORMS:
        raise ConfigError(f"{path} ends in {form or 'nothing'}: a reliability diagram ends in {', '.join(FORMS)}.{nearest(form, FORMS)}")
    if Path(path).is_dir():
        raise ConfigError(f"{path} is a folder: name a file for the diagram.")
    heads = recommender.model.objective.heads
    if "click" not in heads:
        raise AbilityError(
            f"a reliability diagram shows a click head, and this {type(recommender.model).__name__} was trained for {' and '.join(heads)}: "
            "ask for heads = {click = 1.0} in [training]."
        )
    if form != ".json" and find_spec("matplotlib") is None:
        raise AbilityError(
            "the diagram is drawn by the library matplotlib, which is not installed: pip install 'germane[plots]', "
            "or name a .json file for its figures."
        )


def check_labels(labels: np.ndarray, part: str) -> None:
    """Refuse rows of one kind: all that they could show is that the others are missing."""
    positives, negatives = int((labels == 1).sum()), int((labels == 0).sum())
    if not positives or not negatives:
        raise DataError(
            f"a reliability diagram needs rows with both labels, and of the {len(labels):,} rows of the {part} part {positives:,} have the label 1 "
            f"and {negatives:,} the label 0: hold out rows that were not taken too, with a column of labels."
        )


def shown(pairs: pl.DataFrame, *, name: str, part: str, calibration: str | None = None) -> dict[str, Any]:
    """All that the diagram shows. ``pairs``: what ``judge_pairs`` gave."""
    rows = pairs.drop_nulls(["label", "probability"])
    p, y = rows["probability"].to_numpy(), rows["label"].to_numpy()
    found = reliability(p, y)
    columns = (found.predicted, found.share, found.count, found.low, found.high)
    # Rare clicks crowd in a corner of the unit square, so the diagram ends where its bins do.
    reach = 1.1 * float(max(found.predicted.max(), found.high.max()))
    end = 1.0 if reach > 0.5 else float(f"{reach:.2g}")
    counts, edges = np.histogram(p, bins=BARS, range=(0, end))
    return {
        "name": name,
        "split": part,
        "calibration": calibration,
        "n": len(p),
        "share": float(y.mean()),
        "ece": ece(p, y),
        "bins": [dict(zip(("predicted", "share", "count", "low", "high"), map(_number, row), strict=True)) for row in zip(*columns, strict=True)],
        "histogram": {"edges": edges.tolist(), "counts": counts.tolist(), "above": int((p > end).sum())},
    }


def write_reliability(told: Mapping[str, Any], path: str | Path) -> None:
    """In the form that the name asks for."""
    form = Path(path).suffix.lower()
    if form == ".json":
        data = json.dumps(told, ensure_ascii=False, indent=1).encode()
    else:
        from matplotlib import rc_context

        buffer = io.BytesIO()
        with rc_context({"svg.fonttype": "none", "svg.hashsalt": "germane"}):  # letters stay letters; the same figure is the same file
            draw(told).savefig(buffer, format=form[1:], dpi=160, metadata={"Date": None} if form == ".svg" else None)
        data = buffer.getvalue()
    with whole(path) as file:
        file.write(data)


def draw(told: Mapping[str, Any]) -> Figure:
    """Shares against predictions with their intervals, above the histogram of predictions."""
    from matplotlib.figure import Figure
    from matplotlib.ticker import EngFormatter

    bins = {name: np.array([one[name] for one in told["bins"]]) for name in ("predicted", "share", "low", "high")}
    edges, counts = np.array(told["histogram"]["edges"]), told["histogram"]["counts"]
    end, above = float(edges[-1]), told["histogram"]["above"]
    figure = Figure(figsize=(5.6, 7.2), facecolor="white")
    shares = figure.add_axes((0.17, 0.29, 0.79, 0.79 * 5.6 / 7.2))  # a square
    rows = figure.add_axes((0.17, 0.085, 0.79, 0.145), sharex=shares)
    shares.plot([0, end], [0, end], color=INK, linewidth=0.8, linestyle=(0, (4, 3)), zorder=1)
    errors = [bins["share"] - bins["low"], bins["high"] - bins["share"]]
    shares.errorbar(
        bins["predicted"], bins["share"], errors, color=BLUE, fmt="o-", markersize=5, linewidth=1, elinewidth=1.6, zorder=3, clip_on=False
    )
    shares.set(xlim=(0, end), ylim=(0, end), ylabel="share taken (dashed: as predicted)")
    rows.stairs(counts, edges, fill=True, color=BLUE, alpha=0.75)
    rows.set(xlabel="predicted probability" + (f" ({above:,} rows lie above {end:g})" if above else ""), ylabel="rows")
    rows.yaxis.set_major_formatter(EngFormatter(sep=""))  # 2k, 1.5M
    for axes in (shares, rows):
        axes.grid(color=FAINT, linewidth=0.6)
        axes.set_axisbelow(True)
        axes.tick_params(labelsize=10, colors=INK, length=3)
        axes.spines[["top", "right"]].set_visible(False)
        axes.spines[["left", "bottom"]].set_color(INK)
        axes.xaxis.label.set(fontsize=11, color=INK)
        axes.yaxis.label.set(fontsize=11, color=INK)
        axes.yaxis.set_label_coords(-0.14, 0.5)
    by = f", {told['calibration']}" if told["calibration"] else ""
    title = f"{told['name']}{by}: ECE {told['ece']:.3f}"
    shares.set_title(title, loc="left", fontsize=min(13, 13 * 44 / len(title)), color=INK, pad=24)
    about = f"{told['n']:,} rows of the {told['split']} part, {len(told['bins'])} bins, 95 % intervals"
    shares.annotate(about, (0, 1), (0, 8), xycoords="axes fraction", textcoords="offset points", fontsize=9.5, color=INK)
    return figure


def _number(value: np.generic) -> float | int:
    return int(value) if isinstance(value, np.integer) else float(value)
