from __future__ import annotations

import io

import polars as pl
import pytest

from germane.config import Config
from germane.jobs.beside import PER_SEGMENT, beside, per_segment, per_user
from germane.jobs.train import judge
from germane.recommender import Recommender


def test_figures_of_users_and_segments_are_those_of_the_rows(trained: Recommender, config) -> None:
    read: Config = config(evaluation={"segments": ["all", "sparse users"], "baselines": [], "variants": []})
    dataset = read.dataset()
    judged = judge(trained, dataset, read.split.divide(dataset), read.evaluation)
    users, parts = per_user(dataset, judged), per_segment(dataset, judged)
    assert users["user"].is_in(dataset.users["id"].to_list()).all() and users["user"].n_unique() == len(users) == judged.rows[0]["n"]
    assert users["ndcg@10"].mean() == pytest.approx(judged.value())
    assert parts.filter(segment="all").drop("segment").equals(users)
    assert not {"coverage@10", "novelty@10"} & set(users.columns)
    files = beside({"seed": 4}, dataset, judged, read.sections)
    assert set(files) == {"card.md", PER_SEGMENT} and pl.read_parquet(io.BytesIO(files[PER_SEGMENT])).equals(parts)
    assert files["card.md"].decode().startswith("# ContextTransformer")
