from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from germane.errors import AbilityError, ConfigError, DataError
from germane.jobs.score import score_file
from germane.recommender import Recommender


def test_scores_stand_behind_the_rows_as_they_were(run: Path, trained: Recommender, tmp_path: Path) -> None:
    (tmp_path / "p.csv").write_text("item,user,note,weather\ni1,u1,007,rain\nghost,u2,ä,sun\ni3,stranger,,rain\n")
    assert score_file(run, tmp_path / "p.csv", tmp_path / "s.csv") == (3, 1)
    scored = pl.read_csv(tmp_path / "s.csv", infer_schema=False)
    assert scored.columns == ["item", "user", "note", "weather", "score"]
    assert scored["note"].to_list() == ["007", "ä", None] and scored["score"][1] is None
    expected = trained.score(pl.DataFrame({"user": ["u1", "stranger"], "item": ["i1", "i3"], "weather": ["rain", "rain"]}))
    np.testing.assert_allclose(scored["score"].gather([0, 2]).cast(pl.Float64).to_numpy(), expected, atol=1e-5)


def test_pairs_that_cannot_be_scored(run: Path, tmp_path: Path) -> None:
    (tmp_path / "p.csv").write_text("user,item\nu1,i1\n")
    with pytest.raises(AbilityError, match="no rating head"):
        score_file(run, tmp_path / "p.csv", tmp_path / "s.csv", head="rating")
    with pytest.raises(ConfigError, match="results end in"):
        score_file(run, tmp_path / "p.csv", tmp_path / "s.xls")
    (tmp_path / "q.csv").write_text("user,itm\nu1,i1\n")
    with pytest.raises(DataError, match="Did you mean itm"):
        score_file(run, tmp_path / "q.csv", tmp_path / "s.csv")
    (tmp_path / "r.csv").write_text("user,item,score\nu1,i1,2\n")
    with pytest.raises(DataError, match="rename it"):
        score_file(run, tmp_path / "r.csv", tmp_path / "s.csv")
    assert not (tmp_path / "s.csv").exists()


def test_lists_are_written_where_the_form_has_cells_for_them(run: Path, tmp_path: Path) -> None:
    (tmp_path / "p.jsonl").write_text('{"user": "u1", "item": "i1", "tags": ["a", "b"]}\n')
    with pytest.raises(ConfigError, match=r"s\.csv: column 'tags' holds List\(String\), for which \.csv has no cells: write \.jsonl or \.parquet"):
        score_file(run, tmp_path / "p.jsonl", tmp_path / "s.csv")
    pairs = pl.DataFrame({"user": ["u1"], "item": ["i1"], "took": [timedelta(1)], "photo": [b"\xff"]})
    pairs.write_parquet(tmp_path / "p.parquet")
    with pytest.raises(ConfigError, match=r"'took' holds Duration.*, for which \.tsv has no cells: write \.jsonl or \.parquet"):
        score_file(run, tmp_path / "p.parquet", tmp_path / "s.tsv")
    with pytest.raises(ConfigError, match=r"'photo' holds Binary, for which \.jsonl has no cells: write \.parquet"):
        score_file(run, tmp_path / "p.parquet", tmp_path / "s.jsonl")
    score_file(run, tmp_path / "p.parquet", tmp_path / "s.parquet")
    assert pl.read_parquet(tmp_path / "s.parquet").drop("score").equals(pairs)
    heard: list[tuple[int, int]] = []
    score_file(run, tmp_path / "p.jsonl", tmp_path / "s.parquet", told=lambda done, of: heard.append((done, of)))
    assert pl.read_parquet(tmp_path / "s.parquet")["tags"].to_list() == [["a", "b"]] and heard == [(1, 1)]
