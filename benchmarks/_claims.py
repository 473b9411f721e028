"""What a benchmark claims, as figures that its summary either reaches or does not."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from _summary import written

Summary = Sequence[Mapping[str, Any]]
LOWER_IS_BETTER = {"rmse", "mae", "log_loss", "ece", "normalised_entropy"}


@dataclass(frozen=True)
class Wanted:
    """One figure: of the plan's own model unless ``name`` says another; divided by another row's where ``over`` or ``rivals`` say so."""

    says: str
    """In words, the limit left out."""
    plan: str
    metric: str = "ndcg@10"
    least: float | None = None
    most: float | None = None
    name: str | None = None
    variant: str = "as trained"
    segment: str = "all"
    over: Mapping[str, str] = field(default_factory=dict)
    """Keys of the row it is divided by, where they differ: ``{"variant": "without context"}``."""
    rivals: Sequence[str] | Literal["all"] = ()
    """Of these rows of the plan, the best is what it is divided by."""
    p_below: float | None = None
    """The p of the row it is divided by has to lie below: the largest that any run had, or, against another plan, that of users' means over the
    runs, which tests the very difference that is told."""

    def found(self, summary: Summary) -> tuple[float | None, float | None]:
        """The figure and the p; None: not there yet."""
        value, tested = self._found(summary)
        together = tested.get("p_together")
        return value, together if together is not None else tested.get("p")

    def _found(self, summary: Summary) -> tuple[float | None, Mapping[str, Any]]:
        """The figure, and the row that holds the test."""
        own = self._row(summary, plan=self.plan, variant=self.variant)
        if own is None or self.metric not in own["figures"]:
            return None, {}
        value = own["figures"][self.metric]["mean"]
        if not (self.over or self.rivals):
            return value, own
        other = self._rival(summary) if self.rivals else self._row(summary, **{"plan": self.plan, "variant": self.variant, **self.over})
        if other is None or self.metric not in other["figures"]:
            return None, {}
        base = other["figures"][self.metric]["mean"]
        return (value / base if base else float("inf")), other if other["p"] is not None else own

    def reached(self, summary: Summary) -> bool | None:
        value, p = self.found(summary)
        if value is None:
            return None
        within = (self.least is None or value >= self.least) and (self.most is None or value <= self.most)
        return within and (self.p_below is None or (p is not None and p < self.p_below))

    def limit(self) -> str:
        sides = [f"{word} {limit:g}" for word, limit in (("at least", self.least), ("at most", self.most)) if limit is not None]
        return " and ".join(sides) + (f", p below {self.p_below:g}" if self.p_below is not None else "")

    def told(self, summary: Summary) -> str:
        """One line: what is wanted, what was found."""
        value, tested = self._found(summary)
        if value is None:
            return f"{self.says}: {self.limit()} is wanted; not run yet."
        runs = own["seeds"] if (own := self._row(summary, plan=self.plan, variant=self.variant)) else 0
        p, sure = self.found(summary)[1], ""
        if self.p_below is not None and p is not None:
            sure = f"p {p:.4f}, " + (f"of single runs at most {tested['p']:.4f}, " if tested.get("p_together") is not None else "")
        verdict = "reached" if self.reached(summary) else "not reached"
        return f"{self.says}: {written(value)} ({sure}{runs} run{'s' * (runs != 1)}); {self.limit()} is wanted: {verdict}."

    def _row(self, summary: Summary, **keys: str) -> Mapping[str, Any] | None:
        keys = {"segment": self.segment, **keys}
        if "name" not in keys and self.name is not None:
            keys["name"] = self.name  # of ``over``, the empty name is the plan's own model
        named = keys.pop("name", None)
        for row in summary:
            if all(row[key] == value for key, value in keys.items()) and (
                row["name"] == named if named else row["own"] or self._of_own(summary, row)
            ):
                return row
        return None

    def _of_own(self, summary: Summary, row: Mapping[str, Any]) -> bool:
        """Whether it is a variant of its plan's own model."""
        return row["variant"] != "as trained" and any(
            other["own"] and other["plan"] == row["plan"] and other["name"] == row["name"] for other in summary
        )

    def _rival(self, summary: Summary) -> Mapping[str, Any] | None:
        there = [
            row
            for row in summary
            if row["plan"] == self.plan and row["segment"] == self.segment and row["variant"] == "as trained" and not row["own"]
            if (self.rivals == "all" or row["name"] in self.rivals) and self.metric in row["figures"] and row["name"] != "best possible"
        ]
        best = min if self.metric in LOWER_IS_BETTER else max
        return best(there, key=lambda row: row["figures"][self.metric]["mean"], default=None)
