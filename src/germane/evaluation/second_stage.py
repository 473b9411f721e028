"""The second of two models, learnt from cases that the first has not seen."""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from ..errors import TrainingError
from ..models import TwoStage
from ..models.candidate_features import Candidates
from ..models.rankers import Lessons
from .cases import Cases
from .options import EvaluationOptions
from .protocol import left_out

__all__ = ["Taught", "teach_ranker"]

ASIDE = 0.3
"""Share of the users whose cases decide when to stop, and whether the second model is worth having."""
BATCH = 64


@dataclass(frozen=True)
class Taught:
    """What the second model learnt from, and what it is worth on the users kept aside: a little less in truth, as these decided when it stopped."""

    cases: int
    """That it learnt from."""
    aside: int
    """Cases of the users kept aside."""
    found: float
    """Share of all cases whose target is among the candidates; the others teach nothing, and count 0 below."""
    rounds: int
    """Trees, or epochs."""
    first: float
    """NDCG@10 of the first model's order, aside."""
    ranker: float
    """NDCG@10 of the second model's."""

    @property
    def better(self) -> bool:
        return self.ranker > self.first

    def __str__(self) -> str:
        """For people."""
        said = f"NDCG@10 {self.ranker:.4f} with the ranker, {self.first:.4f} without, on {self.aside:,} cases kept aside"
        if self.better:
            return f"ranker: {said}"
        return f"ranker: no better than the first model alone ({said}); leave [ranker] out, or give it more cases"

    def as_json(self) -> dict[str, Any]:
        return {**asdict(self), "better": self.better, "note": str(self)}


def teach_ranker(model: TwoStage, cases: Cases, options: EvaluationOptions, seed: int = 0) -> Taught:
    """Fit the second model of ``model`` on the candidates of these cases, all but those of the users kept aside.

    A case weighs what its event weighs, by the root of how many its user has, so that few busy users do not drown the others. What lists do not
    show is no candidate, and items without training events are no negatives: the second model is judged on whole lists, but does not learn to push
    new items down. Cost: one judging of at most ``cases`` cases by the first model, and the learning itself.
    """
    rng = np.random.default_rng(seed)
    cases = cases.only(cases.table.positive[cases.rows])
    if len(cases.rows) > model.options.cases:
        keep = np.zeros(len(cases.rows), dtype=bool)
        keep[rng.choice(len(cases.rows), model.options.cases, replace=False)] = True
        cases = cases.only(keep)
    lessons = _lessons(model, cases, options)
    users = rng.permutation(np.unique(lessons.users))
    apart = torch.from_numpy(np.isin(lessons.users, users[: max(1, round(ASIDE * len(users)))]))
    taught, aside = _against_known(lessons.only(~apart).found(), torch.from_numpy(cases.known_items)), lessons.only(apart)
    judged = aside.found()
    if not len(taught) or not len(judged):
        found = f"of {len(lessons):,} cases it found {len(lessons.found()):,}"
        raise TrainingError(
            f"[ranker] needs cases of two users at least whose target is among the first model's best {model.options.among}; {found}: "
            "raise among, hold out more events, or leave [ranker] out."
        )
    rounds = model.ranker.learn(taught, judged, seed)
    with torch.no_grad():
        figures = aside.ndcg(aside.pairs.first), aside.ndcg(model.ranker.score(aside.pairs))
    return Taught(len(taught), len(aside), len(lessons.found()) / len(lessons), rounds, *figures)


def _against_known(lessons: Lessons, known: Tensor) -> Lessons:
    """``known`` [items]: without all other candidates, but for those that were taken. Of cases whose target is found."""
    pairs = lessons.pairs
    taken = torch.arange(pairs.items.shape[1]) == lessons.targets[:, None]
    return replace(lessons, pairs=replace(pairs, there=pairs.there & (known[pairs.items] | taken)))


def _lessons(model: TwoStage, cases: Cases, options: EvaluationOptions) -> Lessons:
    """Of each case the best ``among`` that lists may show; cases whose target they do not show are dropped."""
    table, n_items = cases.table, cases.table.dataset.n_items
    width = min(model.options.among, n_items)
    pairs: list[Candidates] = []
    targets, kept = [], []
    with torch.no_grad():
        for begin in range(0, len(cases.rows), BATCH):
            rows = cases.rows[begin : begin + BATCH]
            queries = table.queries(rows, model.length)
            target = table.dataset.item_codes[rows]
            query, seen = left_out(table, rows, options)
            hidden = torch.zeros(len(rows), n_items, dtype=torch.bool)
            hidden[query, seen] = True
            shown = ~hidden[torch.arange(len(rows)), target]
            told = model.pairs(queries, model.told(queries))
            there = told.there & ~hidden.gather(1, told.items)
            order = told.first.masked_fill(~there, -torch.inf).argsort(dim=1, descending=True, stable=True)[:, :width]
            best = functional.pad(order, (0, width - order.shape[1]))
            part = told.at(best, there.gather(1, best) & (torch.arange(width) < order.shape[1]))[shown.nonzero().ravel()]
            same = (part.items == torch.from_numpy(target)[shown][:, None]) & part.there
            pairs.append(part)
            targets.append(torch.where(same.any(1), same.int().argmax(1), -1))
            kept.append(rows[shown.numpy()])
    rows = np.concatenate(kept) if kept else cases.rows
    if not len(rows):
        raise TrainingError("[ranker] has nothing to learn from: no held-out event may stand in a list. Hold out more, or loosen exclude_seen.")
    users = table.users[rows]
    busy = torch.from_numpy(np.bincount(users)[users].astype(np.float32))
    return Lessons(Candidates.joined(pairs), torch.cat(targets), table.weights[torch.from_numpy(rows)] / busy.sqrt(), users)
