"""The weights of a blend, chosen on validation."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from ..models import Blend
from .cases import Cases
from .options import EvaluationOptions
from .pairs import SAID, judge_pairs
from .protocol import left_out

__all__ = ["choose_weights", "mix", "weigh"]

MOST = 2_000
"""Cases that are read at most: members × cases × items numbers are held at once."""
GRID = (0.0, 0.03, 0.06, 0.1, 0.15, 0.2, 0.3, 0.45, 0.7, 1.0, 1.5, 2.0, 3.0)
SWEEPS = 2
BATCH = 128
TINY = 1e-7


def weigh(blend: Blend, cases: Cases, options: EvaluationOptions, seed: int = 0) -> None:
    """Give the blend the weights of each head that it learns."""
    if "ranking" in blend.objective.heads:
        blend.weights = choose_weights(blend, cases, options, seed)
    if not blend.mixed:
        return
    judged = [judge_pairs(member, cases) for member in blend.members]
    for head, (said, truth) in SAID.items():
        if head in blend.mixed:
            told = np.stack([frame[said].to_numpy() for frame in judged])
            given = judged[0][truth].to_numpy()
            there = ~np.isnan(given)
            blend.mixed[head] = mix(torch.from_numpy(told[:, there]), torch.from_numpy(given[there]), blend.said, head != "rating")


def mix(told: Tensor, truth: Tensor, said: tuple[float | None, ...], clicks: bool) -> Tensor:
    """[members] weights of the mean rating, or of the mean logit, under which ``truth`` [rows] is best foretold by ``told`` [members, rows].

    Least squares, or the smallest log loss; weights are positive, and those that are said stay. Alike where nothing can be learnt: no rows, or
    labels of one class.

    >>> truth = torch.tensor([1.0, 2.0, 3.0, 4.0])
    >>> weights = mix(torch.stack([truth + 1, truth - 1]), truth, (1.0, None), clicks=False)
    >>> weights.round(decimals=2).tolist()  # one says one too much, the other one too little
    [1.0, 1.0]
    """
    start = torch.tensor([1.0 if w is None else w for w in said])
    free = [place for place, w in enumerate(said) if w is None]
    if not free or not len(truth) or (clicks and truth.min() == truth.max()):
        return start
    told = told.clamp(TINY, 1 - TINY).logit() if clicks else told
    logs = torch.zeros(len(free), dtype=torch.float64, requires_grad=True)
    optimiser = torch.optim.LBFGS([logs], max_iter=100, line_search_fn="strong_wolfe")

    def weights() -> Tensor:
        return start.double().index_put((torch.tensor(free),), logs.exp())

    def closure() -> Tensor:
        optimiser.zero_grad()
        mean = torch.einsum("m,mr->r", weights() / weights().sum(), told.double())
        loss = functional.binary_cross_entropy_with_logits(mean, truth.double()) if clicks else functional.mse_loss(mean, truth.double())
        loss = loss + 1e-6 * logs.square().sum()  # only their ratios matter
        loss.backward()
        return loss

    optimiser.step(closure)
    return weights().detach().float()


def choose_weights(blend: Blend, cases: Cases, options: EvaluationOptions, seed: int = 0) -> Tensor:
    """[members] weights, the first member's 1 unless it is said. Weights that are said stay.

    ``metric``: member by member, the weight of a grid with the best NDCG@10, twice over. ``likelihood``: those under which what was taken is most
    likely by a softmax over the items that training knows and itself. Cost: one judging of at most 2,000 cases.
    """
    cases = cases.only(cases.table.positive[cases.rows])
    if len(cases.rows) > MOST:
        keep = np.zeros(len(cases.rows), dtype=bool)
        keep[np.random.default_rng(seed).choice(len(cases.rows), MOST, replace=False)] = True
        cases = cases.only(keep)
    told, targets, users = _told(blend, cases, options)
    start = blend.start()
    free = [place for place, w in enumerate(blend.said) if w is None and place > 0]
    if not free or not len(targets):
        return start
    if blend.options.choose == "metric":
        return _searched(told, targets, users, start, free)
    out = torch.from_numpy(~cases.known_items) & (torch.arange(told.shape[2]) != targets[:, None])  # [cases, items] new ones stand against nobody
    return _likeliest(told.masked_fill(out, -torch.inf), targets, start, free)


def _told(blend: Blend, cases: Cases, options: EvaluationOptions) -> tuple[Tensor, Tensor, np.ndarray]:
    """[members, cases, items] with −inf for what lists leave out, [cases] targets, [cases] users; cases whose target is left out are dropped."""
    parts, targets, users = [], [], []
    with torch.inference_mode():
        for begin in range(0, len(cases.rows), BATCH):
            rows = cases.rows[begin : begin + BATCH]
            told = blend.told(cases.table.queries(rows, blend.length)).clone()
            target = cases.table.dataset.item_codes[rows]
            query, seen = left_out(cases.table, rows, options)
            lost = np.zeros(len(rows), dtype=bool)
            lost[query[seen == target[query]]] = True
            told[:, query, seen] = -torch.inf
            parts.append(told[:, ~lost])
            targets.append(target[~lost])
            users.append(cases.table.users[rows][~lost])
    return torch.cat(parts, dim=1), torch.from_numpy(np.concatenate(targets).astype(np.int64)), np.concatenate(users)


def _searched(told: Tensor, targets: Tensor, users: np.ndarray, start: Tensor, free: list[int]) -> Tensor:
    weights = start.clone()
    rows = torch.arange(len(targets))
    counts = np.bincount(users)

    def figure(tried: Tensor) -> float:
        total = torch.einsum("m,mcn->cn", tried, told.nan_to_num(neginf=0.0)).masked_fill(told[0].isneginf(), -torch.inf)
        ranks = (total >= total[rows, targets][:, None]).sum(1).numpy()
        return float((np.bincount(users, np.where(ranks <= 10, 1 / np.log2(ranks + 1), 0.0))[counts > 0] / counts[counts > 0]).mean())

    for _ in range(SWEEPS):
        for place in free:
            tried = [torch.cat([weights[:place], torch.tensor([value]), weights[place + 1 :]]) for value in GRID]
            figures = [figure(one) for one in tried]
            weights = tried[int(np.argmax(figures))]
    return weights


def _likeliest(told: Tensor, targets: Tensor, start: Tensor, free: list[int]) -> Tensor:
    """By LBFGS over logarithms of the free weights and of a scale common to all, which a softmax needs and an order does not."""
    hidden, values = told[0].isneginf(), told.nan_to_num(neginf=0.0)
    logs, scale = torch.zeros(len(free), requires_grad=True), torch.zeros((), requires_grad=True)
    optimiser = torch.optim.LBFGS([logs, scale], max_iter=60, line_search_fn="strong_wolfe")

    def closure() -> Tensor:
        optimiser.zero_grad()
        weights = start.index_put((torch.tensor(free),), logs.exp())
        total = (scale.exp() * torch.einsum("m,mcn->cn", weights, values)).masked_fill(hidden, -1e9)
        loss = torch.nn.functional.cross_entropy(total, targets)
        loss.backward()
        return loss

    optimiser.step(closure)
    return start.index_put((torch.tensor(free),), logs.detach().exp())
