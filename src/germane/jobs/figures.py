"""Figures of ``metrics.json`` as people read them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ..evaluation import OF_ROWS
from ..evaluation.validation import SMALLER

__all__ = ["first_metric", "interval", "number", "over_rows", "p_value", "row_of", "smaller_is_better"]

LEADING = ("ndcg@10", "ndcg", "auc", "log_loss", "rmse")


def first_metric(rows: Sequence[Mapping[str, Any]]) -> str | None:
    """The figure that speaks for a run where none is asked for."""
    told = list(rows[0]["metrics"]) if rows else []
    return next((name for lead in LEADING for name in told if name == lead or name.split("@")[0] == lead), told[0] if told else None)


def row_of(rows: Sequence[Mapping[str, Any]], segment: str = "all", variant: str = "as trained", name: str | None = None) -> Mapping[str, Any] | None:
    """The run's own row, which stands first, or the one of another name."""
    name = name if name is not None else (rows[0]["name"] if rows else "")
    return next((row for row in rows if (row["segment"], row["variant"], row["name"]) == (segment, variant, name)), None)


def smaller_is_better(metric: str) -> bool:
    """
    >>> smaller_is_better("log_loss"), smaller_is_better("squared_error"), smaller_is_better("ndcg@10")
    (True, True, False)
    """
    return metric in SMALLER or metric in OF_ROWS


def over_rows(metric: str) -> str:
    """The figure of ``metrics.json`` that goes with one of single users.

    >>> over_rows("squared_error"), over_rows("ndcg@10")
    ('rmse', 'ndcg@10')
    """
    return "rmse" if metric == "squared_error" else metric


def number(value: float | None) -> str:
    """Three digits that count, no zero before the point, as the field's tables have it.

    >>> number(0.04567), number(12.345), number(-0.5), number(None), number(0.0)
    ('.0457', '12.3', '-.500', '—', '0')
    """
    if value is None or value != value:
        return "—"
    if value == 0:
        return "0"
    size = abs(value)
    written = f"{size:,.0f}" if size >= 1000 else f"{size:.3g}" if size >= 1 else f"{size:.4f}" if size < 0.1 else f"{size:.3f}"
    if float(written.replace(",", "")) == 0:
        written = f"{size:.1e}"
    return ("-" if value < 0 else "") + (written.removeprefix("0") if written.startswith("0.") else written)


def interval(figure: Mapping[str, Any] | None) -> str:
    """
    >>> interval({"value": 0.0457, "low": 0.04, "high": 0.05})
    '.0457 (.0400 to .0500)'
    """
    if figure is None:
        return "—"
    value = number(figure["value"])
    return value if figure.get("low") is None else f"{value} ({number(figure['low'])} to {number(figure['high'])})"


def p_value(p: float | None) -> str:
    """
    >>> p_value(0.0001), p_value(0.04321), p_value(1.0)
    ('< .001', '.043', '1')
    """
    if p is None:
        return "—"
    return "< .001" if p < 0.001 else "1" if p > 0.9995 else f"{p:.3f}".removeprefix("0")
