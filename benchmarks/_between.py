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


def between(benchmark: str, plans: tuple[str, str], seeds: Sequence[int], metrics: Sequence[str], quick: bool) -> dict[str, dict[str, float]]:
    """By figure: ``p`` of a paired test over users, the mean ``gain`` of the first plan over the second, and its 95 % interval (``low``, ``high``).

    Of several seeds each user's mean is taken first, so that what is tested is the difference of means that is told. Nothing where a run was made
    elsewhere.
    """
    import polars as pl

    from germane.metrics import bootstrap_interval, paired_test

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
                ours, theirs = (pairs[name].to_numpy() for name in pairs.columns)
                low, high = bootstrap_interval(ours - theirs)
                found[figure] = {"p": paired_test(ours, theirs), "gain": float((ours - theirs).mean()), "low": low, "high": high}
    return found
