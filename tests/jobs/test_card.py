from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from germane.bundle import load
from germane.config import Config
from germane.errors import RunError
from germane.jobs.card import card, card_of
from germane.jobs.describe import describe
from germane.jobs.run import evaluate_run, train_run


def row(segment: str, value: float, low: float, high: float, n: int = 500, name: str = "M", variant: str = "as trained") -> dict[str, Any]:
    figures = {"ndcg@10": {"value": value, "low": low, "high": high}}
    about = {"name": name, "protocol": "by-time", "split": "test", "segment": segment, "variant": variant, "n": n, "seed": 0}
    return {**about, "metrics": figures, "p_against": {}}


def test_a_run_has_a_card_that_is_rewritten_when_it_is_judged_again(config: Callable[..., Config], tmp_path: Path) -> None:
    run, _ = train_run(config(training={"epochs": 1}, evaluation={"baselines": ["Popular"]}), tmp_path / "run")
    written = (run / "card.md").read_text()
    assert written == card_of(run) and "card.md" in json.loads((run / "about.json").read_text())["files"]
    assert "480 events of 40 users with 24 items, from 2023" in written and "| context | weather |" in written
    assert "| `model.width` | 8 |" in written and "`training.epochs` | 1 |" in written and "`training.accumulate`" not in written
    assert "| Popular | as trained | all |" in written and "Texts are read by `HashedText`" in written and "on the test part" in written
    evaluate_run(run, split="validation")
    again = (run / "card.md").read_text()
    assert again == card_of(run) != written and "they flatter" in again and "they flatter" not in written
    load(run)


def test_limits_are_read_from_the_figures() -> None:
    rows = [
        row("all", 0.05, 0.04, 0.06),
        row("known items", 0.06, 0.05, 0.07),
        row("new items", 0.002, 0.0, 0.004),
        row("sparse users", 0.05, 0.03, 0.07, n=80),
        row("new users", 0.01, 0.0, 0.1, n=3),
        row("all", 0.07, 0.06, 0.08, name="Popular"),
        row("all", 0.049, 0.04, 0.06, variant="context shuffled"),
    ]
    rows[0]["p_against"] = {"Popular": 0.001, "context shuffled": 0.6}
    said = card({}, rows, {})
    assert "Items without training events: .0020 (0 to .0040), against .0600 (.0500 to .0700) on known items; it does worse there." in said
    assert "Users with fewer than ten training events: .0500 (.0300 to .0700), against .0500 (.0400 to .0600) on all; no worse there" in said
    assert "Users without training events: 3 of them were judged, too few to tell." in said
    assert "It is worse than Popular: .0500 against .0700." in said
    assert "It is not shown to differ from itself asked in another's moment (p = .600)." in said


def test_what_is_sensitive_and_read_all_the_same_is_said() -> None:
    columns = {"user": "u", "item": "i", "sensitive": ["gender", "age"], "user_side": ["age"], "text": "title"}
    data = {"fingerprint": "ab" * 32, "events": 9, "users": 2, "items": 3, "from": None, "to": None}
    said = card({"data": data}, [], {"data": {"sql": "postgresql://ann:secret@db/shop", "columns": columns, "rules": {"positive": ">= 4"}}})
    assert "Sensitive: gender, age. The model reads age all the same." in said and "`positive = >= 4`" in said
    assert "Weights of all-MiniLM-L6-v2: Apache-2.0." in said and "frozen" in said
    assert "nothing was held out" in said and "secret" not in said and "without times" in said


DATA = {"fingerprint": "ab" * 32, "events": 9, "users": 2, "items": 3, "from": None, "to": None}
PRIVATE = ["lat", "lon", "mood", "title", "typed", "blurb", "gender"]
COLUMNS = {
    "user": "u",
    "item": "i",
    "place": ["lat", "lon"],
    "context": ["mood"],
    "text": ["title"],
    "words": "typed",
    "user_side": ["gender"],
    "sensitive": PRIVATE,
}


@pytest.mark.parametrize(
    ("sections", "read"),
    [
        ({}, "lat, lon, mood, title, typed, gender"),
        ({"text": {"use": "NoText"}}, "lat, lon, mood, gender"),
        ({"model": {"use": "DCNv2"}}, "lat, lon, mood, gender"),
        ({"model": {"use": "Blend", "members": [{"use": "EASE"}, {"use": "ContentNeighbours"}]}}, "title"),
    ],
)
def test_a_sensitive_column_is_read_in_whatever_meaning_the_model_reads(sections: dict[str, Any], read: str) -> None:
    said = card({"data": DATA}, [], {"data": {"columns": COLUMNS}, **sections})
    assert f"Sensitive: {', '.join(PRIVATE)}. The model reads {read} all the same." in said


def test_a_model_that_reads_no_sensitive_column_is_not_said_to() -> None:
    said = card({"data": DATA}, [], {"data": {"columns": COLUMNS}, "model": {"use": "EASE"}})
    assert "The model reads none of them." in said and "It reads no texts." in said and "Weights of" not in said
    weighed = {**COLUMNS, "value": "price", "sensitive": "price"}
    assert "The model reads price all the same." in card({"data": DATA}, [], {"data": {"columns": weighed}, "model": {"use": "EASE"}})
    prompt = {"columns": COLUMNS, "prompt": "{title}. { blurb }."}
    assert "title, typed, blurb, gender all the same." in card({"data": DATA}, [], {"data": prompt})
    source = {"use": "MovieLens100K", "columns": {"sensitive": ["gender", "age"]}}
    assert "Sensitive: gender, age. The model reads gender, age all the same." in card({"data": DATA}, [], {"data": source})
    gone = card({"data": DATA}, [], {"data": {"columns": COLUMNS}, "model": {"use": "nowhere_at_all:Model"}})
    assert "Whether the model reads them is not known here" in gone and "Texts are read by the language model" in gone


def test_without_an_encoder_no_texts_are_read() -> None:
    assert "It reads no texts." in card({}, [], {"text": {"use": "NoText"}, "data": {"columns": {"text": "title"}}})
    assert "It reads no texts." in card({}, [], {}) and "Texts are read by `HashedText`." in card({}, [], {"text": {"use": "HashedText"}})


def test_a_folder_that_is_no_run_is_refused(tmp_path: Path) -> None:
    with pytest.raises(RunError, match="is not a run folder"):
        card_of(tmp_path / "none")
    with pytest.raises(RunError, match=r"about\.json is missing"):
        card_of(tmp_path)


@pytest.mark.parametrize(
    ("was", "became", "said"),
    [
        ('"trainable"', '"trainafle"', "'parameters' is not an object that names total, trainable"),
        ('"fingerprint"', '"fingerprynt"', "'data' is not an object that names events, users, items, fingerprint"),
        ('"data": {', '"data": "x", "date": {', "'data' is not an object"),
        ('"seconds": {', '"seconds": [1], "second": {', "'seconds' is not an object"),
    ],
)
def test_a_damaged_account_of_a_run_is_refused_in_a_sentence(was: str, became: str, said: str, config: Callable[..., Config], tmp_path: Path) -> None:
    run, _ = train_run(config(training={"epochs": 1}), tmp_path / "run")
    text = (run / "about.json").read_text()
    assert was in text
    (run / "about.json").write_text(text.replace(was, became))
    for read in (card_of, describe):
        with pytest.raises(RunError, match=f"about.json: {said}.*: the run is damaged"):
            read(run)
