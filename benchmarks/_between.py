"""Runs of two plans beside each other, user by user. Not a benchmark itself."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

OWN = Path(__file__).parent / ".per_user"
"""Figures of single users, which stay on this machine."""
SINGLE = {"auc": "log_loss", "rmse": "squared_error", "mae": "squared_error"}
"""What a user's own figure is where the figure is none of single users."""


def users_file(benchmark: str, plan: str, seed: int, quick: bool) -> Path:
    return OWN / ("quick" if quick else "full") / benchmark / f"{plan.replace(' ', '-').replace('%', 'percent')}-{seed}.parquet"


def keep_users(benchmark: str, plan: str, seed: int, quick: bool, frame: Path) -> None:
    file = users_file(benchmark, plan, seed, quick)
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(frame.read_bytes())


def p_between(benchmark: str, plans: tuple[str, str], seeds: Sequence[int], metrics: Sequence[str], quick: bool) -> dict[str, float]:
    """p of a paired test over users, by figure; of several seeds each user's mean is taken first, so that what is tested is the difference of means
    that is told. Nothing where a run was made elsewhere."""
    import polars as pl

    from germane.metrics import paired_test

    files = [tuple(users_file(benchmark, plan, seed, quick) for plan in plans) for seed in seeds]
    if not all(file.exists() for pair in files for file in pair):
        return {}
    beside = [pl.read_parquet(ours).join(pl.read_parquet(theirs), on="user") for ours, theirs in files]
    both = pl.concat(beside, how="diagonal_relaxed")
    found = {}
    for figure in metrics:
        column = SINGLE.get(figure, figure)
        if column in both.columns and f"{column}_right" in both.columns:
            pairs = both.select("user", column, f"{column}_right").drop_nulls().group_by("user").mean().sort("user").drop("user")
            if pairs.height:
                found[figure] = paired_test(*(pairs[name].to_numpy() for name in pairs.columns))
    return found
