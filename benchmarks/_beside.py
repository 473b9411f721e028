"""More that is judged on the very events a run was judged on: by the same code, whoever computed the scores."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import torch
from numpy.typing import NDArray

from germane.bundle import load
from germane.config import Config
from germane.data import Dataset, Split
from germane.evaluation import EvaluationOptions, cases_of, judge_cases, judge_pairs, paired, rows_of
from germane.evaluation.protocol import left_out
from germane.jobs.train import NOTHING_JUDGED, Judged, fit
from germane.losses import Objective
from germane.models import Model, Popular
from germane.recommender import Recommender

Scores = Callable[[NDArray[np.int64]], NDArray[np.float64]]
"""Rows of the event table -> [rows, items]; or [rows], where single rows are judged."""


class Told:
    """A model whose scores are known already, row by row, in the order in which cases are asked."""

    length, device = 1, torch.device("cpu")

    def __init__(self, rows: NDArray[np.int64], scores: Scores, objective: Objective) -> None:
        self.rows, self.scores, self.objective, self.at = rows, scores, objective, 0

    def score(self, queries: Any) -> torch.Tensor:
        rows = self.rows[self.at : self.at + len(queries)]
        self.at += len(queries)
        return torch.from_numpy(np.asarray(self.scores(rows), dtype=np.float64))

    def predict(self, queries: Any, items: torch.Tensor, head: str) -> torch.Tensor:
        return self.score(queries)[:, None]


def judge_told(
    dataset: Dataset, split: Split, part: str, options: EvaluationOptions, scores: Scores, name: str, head: str = "ranking", seed: int = 0
) -> Judged:
    """Lists of scores over the catalogue, or single rows of a click or rating head, judged as a model's own would be."""
    asker = Recommender(Popular(), features=(), exclude_seen=options.exclude_seen, seed=seed)
    asker.prepare(dataset.take(split.train))
    cases = cases_of(asker, dataset, split, part, options)
    about = {"name": name, "protocol": split.name, "split": part, "variant": "as trained", "seed": seed}
    objective = Objective(heads={head: 1.0})
    if head != "ranking":
        pairs = judge_pairs(Told(cases.rows, scores, objective), cases)
        return Judged(rows_of(NOTHING_JUDGED, pairs, cases, options.segments, **about), NOTHING_JUDGED, pairs)
    rows, new = cases.rows[cases.table.positive[cases.rows]], ~cases.known_items
    lists, shelf = judge_cases(Told(rows, scores, objective), cases, options), None
    if "new among new" in options.segments and new.any():
        shelf = judge_cases(Told(rows[new[dataset.item_codes[rows]]], scores, objective), cases, options, among=new)
    return Judged(rows_of(lists, pl.DataFrame(), cases, options.segments, shelf, **about), lists)


@dataclass
class Trained:
    """A run that has been trained and judged, and its rows, to which others are added."""

    config: Config
    run: Path
    judged: Judged

    def __post_init__(self) -> None:
        self.rows: list[dict[str, Any]] = list(self.judged.rows)
        self.others: dict[str, Judged] = {}

    @cached_property
    def dataset(self) -> Dataset:
        return self.config.dataset()

    @cached_property
    def split(self) -> Split:
        return self.config.split.divide(self.dataset)

    @cached_property
    def learnt(self) -> Split:
        """The same by what the run was trained on in the end."""
        return self.split.refitted(self.dataset) if self.config.training.refit and self.part == "test" else self.split

    @cached_property
    def recommender(self) -> Recommender:
        return load(self.run)

    @property
    def part(self) -> str:
        return "test" if len(self.split.test) else "validation"

    def add(self, name: str, judged: Judged) -> None:
        """Rows of a rival, and the p of the run's model against it."""
        self.others[name] = judged
        self.rows += judged.rows
        first = next(row for row in self.rows if row["segment"] == "all")
        first["p_against"][name] = paired(self.judged.cases, judged.cases, metric=self.metric, seed=self.config.seed)

    def add_scores(self, name: str, scores: Scores) -> None:
        options = self.config.evaluation
        self.add(name, judge_told(self.dataset, self.learnt, self.part, options, scores, name, seed=self.config.seed))

    def add_model(self, model: Model) -> Recommender:
        """A model of the toolkit, fitted on the same training part; given back fitted."""
        from germane.jobs.train import judge

        reads = model.abilities.reads
        text, options = self.recommender.text if "text" in reads else None, self.config.evaluation
        features = self.config.features if "context" in reads else ()
        rival = Recommender(model, text=text, features=features, seed=self.config.seed, exclude_seen=options.exclude_seen)
        fit(rival, self.dataset, self.split, self.config.training.suited(model), evaluation=options)
        name = type(model).__name__
        self.add(name, judge(rival, self.dataset, self.learnt, options, part=self.part, name=name))
        return rival

    def tops(self, recommender: Recommender, k: int = 10) -> NDArray[np.int64]:
        """[cases, k] item codes of the lists for the held-out events, what is seen left out."""
        options = self.config.evaluation
        cases = cases_of(recommender, self.dataset, self.learnt, self.part, options)
        model, found = recommender.model, []
        if isinstance(model, torch.nn.Module):
            model.eval()
        with torch.inference_mode():
            for begin in range(0, len(cases.rows), 128):
                rows = cases.rows[begin : begin + 128]
                scores = model.score(cases.table.queries(rows, model.length)).double().numpy().copy()
                query, seen = left_out(cases.table, rows, options)
                scores[query, seen] = -np.inf
                found.append(np.argsort(-scores, axis=1, kind="stable")[:, :k])
        return np.concatenate(found)

    def add_segment(self, segment: str, rows: NDArray[np.int64]) -> None:
        """A row for the run's model and each rival that was added: their figures on these events alone, means per user, then over users."""
        from germane.metrics import bootstrap_interval

        for name, judged in {self.rows[0]["name"]: self.judged, **self.others}.items():
            cases = judged.cases.filter(pl.col("row").is_in(rows.tolist()))
            if not cases.height:
                continue
            users = cases.group_by("user").agg(pl.exclude("row", "item", "rank").mean()).sort("user")
            metrics = {}
            for figure in users.columns[1:]:
                low, high = bootstrap_interval(users[figure].to_numpy(), seed=self.config.seed)
                metrics[figure] = {"value": float(users[figure].mean()), "low": low, "high": high}  # type: ignore[arg-type]
            like = judged.rows[0]
            new = {**like, "name": name, "segment": segment, "n": users.height, "metrics": metrics, "p_against": {}}
            place = max(n for n, row in enumerate(self.rows) if (row["name"], row["variant"]) == (name, like["variant"])) + 1
            self.rows.insert(place, new)

    @property
    def metric(self) -> str:
        return f"ndcg@{self.config.evaluation.k[0]}"
