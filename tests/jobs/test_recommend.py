from __future__ import annotations

import os
import threading
from pathlib import Path

import polars as pl
import pytest

from germane.errors import ConfigError, QueryError
from germane.jobs.opening import open_run
from germane.jobs.recommend import answer_all, answer_file, answer_one, context_of
from germane.policies import EpsilonGreedy, Greedy, PlackettLuce
from germane.recommender import Recommender
from germane.types import Query, Slate


def told(slates: list[Slate]) -> list[list[tuple[str, float]]]:
    return [[(shown.item, shown.propensity) for shown in slate.items] for slate in slates]


def lines(folder: Path, *said: str) -> Path:
    path = folder / "q.jsonl"
    path.write_text("\n".join(said) + "\n")
    return path


def test_each_line_has_a_fresh_draw_and_the_seed_repeats_them(trained: Recommender, tmp_path: Path) -> None:
    queries = lines(tmp_path, *['{"user": "u1"}'] * 30)
    first, second = (list(answer_file(trained, queries, 5, seed=9)) for _ in range(2))
    assert told(first) == told(second) and len({tuple(slate) for slate in map(tuple, told(first))}) > 1
    assert told(list(answer_file(trained, queries, 5))) == told(list(answer_file(trained, queries, 5, seed=trained.seed)))
    greedy = list(answer_file(trained, queries, 5, seed=9, explore=False))
    assert all(chance == 1.0 for slate in told(greedy) for _, chance in slate) and told(greedy)[0] == told(greedy)[-1]


def test_queries_come_through_a_pipe_too(trained: Recommender, tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    writer = threading.Thread(target=pipe.write_text, args=('{"user": "u1"}\n{}\n',))
    writer.start()
    assert [len(slate.items) for slate in answer_file(trained, pipe, 3)] == [3, 3]
    writer.join()


def test_a_line_may_say_how_it_is_answered(trained: Recommender, tmp_path: Path) -> None:
    queries = lines(tmp_path, '{"n": 2}', "", '{"user": "u1", "explain": false}', '{"user": "u1", "explore": false}')
    short, bare, greedy = answer_file(trained, queries, 4)
    assert [len(slate.items) for slate in (short, bare, greedy)] == [2, 4, 4]
    assert short.items[0].reasons and not bare.items[0].reasons and greedy.policy == "Greedy"


def test_progress_is_told(trained: Recommender, tmp_path: Path) -> None:
    heard: list[tuple[int, int]] = []
    list(answer_file(trained, lines(tmp_path, *["{}"] * 300), 1, told=lambda done, of: heard.append((done, of))))
    assert heard == [(256, 300), (300, 300)]


def test_a_bad_line_is_named_before_anything_is_answered(trained: Recommender, tmp_path: Path) -> None:
    slates = answer_file(trained, lines(tmp_path, "{}", "", '{"usr": "u1"}'), 3)
    with pytest.raises(QueryError, match=r"line 3: .*Did you mean user\?"):
        next(slates)
    with pytest.raises(QueryError, match="line 1"):
        next(answer_file(trained, lines(tmp_path, "{")))
    with pytest.raises(ConfigError, match="not there"):
        next(answer_file(trained, tmp_path / "ghost.jsonl"))


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ('{"context": {"wether": "rain"}}', r"Did you mean weather\?"),
        ('{"context": {"degrees": "warm"}}', r"context degrees = 'warm' is not a number"),
        ('{"history": [{"item": "i1", "context": {"degrees": "warm"}}]}', r"history\[0\]\.context degrees = 'warm' is not a number"),
        ('{"filter": {"eq": ["titel", "x"]}}', r"Did you mean title\?"),
        ('{"filter": {"range": ["title", 1, 2]}}', "needs a column of numbers"),
    ],
)
def test_a_line_that_cannot_be_answered_is_named_before_anything_is_answered(trained: Recommender, tmp_path: Path, line: str, said: str) -> None:
    with pytest.raises(QueryError, match=rf"q\.jsonl, line 2: .*{said}"):
        next(answer_file(trained, lines(tmp_path, "{}", line), 3))


def test_everyone_is_answered_once(trained: Recommender) -> None:
    slates = list(answer_all(trained, 2))
    assert [slate.user for slate in slates] == list(trained.people.codes) and all(len(slate.items) == 2 for slate in slates)


@pytest.mark.parametrize("n", [0, -1, 10**9])
def test_lengths_out_of_range(trained: Recommender, n: int) -> None:
    with pytest.raises(QueryError, match=r"between 1 and 1,000"):
        answer_one(trained, Query(), n)


def test_the_policy_of_a_run_can_be_changed(run: Path) -> None:
    kept = open_run(run, sets=["policy.epsilon=0.25"]).policy
    assert isinstance(kept, EpsilonGreedy) and kept.options.epsilon == 0.25
    other = open_run(run, sets=["policy.use=PlackettLuce", "policy.temperature=2.0"]).policy
    assert isinstance(other, PlackettLuce) and other.options.temperature == 2.0
    assert isinstance(open_run(run, sets=["policy.use=Greedy"]).policy, Greedy)
    with pytest.raises(ConfigError, match="only policy and evaluation"):
        open_run(run, sets=["model.width=3"])
    with pytest.raises(ConfigError, match=r"\[policy\].*Did you mean epsilon"):
        open_run(run, sets=["policy.epsilom=0.3"])
    with pytest.raises(ConfigError, match="epsilon"):
        open_run(run, sets=["policy.epsilon=7"])


def test_new_items_are_ranked_with_the_others(run: Path, tmp_path: Path) -> None:
    pl.DataFrame({"item": ["new"], "title": ["umbrella"]}).write_csv(tmp_path / "new.csv")
    recommender = open_run(run, items=tmp_path / "new.csv")
    assert "new" in {shown.item for shown in answer_one(recommender, Query(), 1000, explore=False).items}


def test_context_words() -> None:
    assert context_of(["weather = rain", "note=a=b", "empty="]) == {"weather": "rain", "note": "a=b", "empty": ""}
    with pytest.raises(QueryError, match="name=value"):
        context_of(["rain"])
    with pytest.raises(QueryError, match="name=value"):
        context_of(["=rain"])
    assert context_of(["mood=a", "weather=rain", "mood=b"]) == {"mood": ["a", "b"], "weather": "rain"}


def test_a_file_may_begin_with_the_mark_of_its_encoding(trained: Recommender, tmp_path: Path) -> None:
    queries = tmp_path / "queries.jsonl"
    for first in ('{"user": "u1"}', "\n"):
        queries.write_text(first + '\n{"user": "u2"}\n', encoding="utf-8-sig")
        assert [slate.user for slate in answer_file(trained, queries, 1)][-1] == "u2"
