"""Odd data: labels of one class, constant or new context, nothing but new items, users with one event. Trained, judged, asked, and said."""

from __future__ import annotations

import json
import math
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

import germane
from germane import Query, cli, models
from germane.bundle import read_json
from germane.component import exported
from germane.config import Config
from germane.data import Dataset, Random
from germane.encoders import NoText
from germane.errors import AbilityError, ConfigError
from germane.jobs.check import check
from germane.jobs.lessons import check_lessons
from germane.jobs.notes import notes_of
from germane.jobs.run import evaluate_run, train_run
from germane.losses import Objective
from germane.models import Model


def events(users: int = 20, each: int = 8, items: int = 12, **columns: Any) -> dict[str, Any]:
    """Users in two camps take items of theirs, one after the other in turn."""
    rng = np.random.default_rng(0)
    who = np.tile(np.arange(users), each)
    what = rng.integers(0, items // 2, len(who)) * 2 + who % 2
    rows = {"user": [f"u{u}" for u in who], "item": [f"i{i}" for i in what], "time": np.arange(len(who)) * 3600.0 + 1.7e9}
    return rows | {name: given(len(who), rng) if callable(given) else given for name, given in columns.items()}


def half(values: tuple[Any, Any]) -> Any:
    return lambda n, rng: [values[k] for k in rng.integers(0, 2, n)]


def alone(users: int = 41) -> dict[str, Any]:
    """Beside twenty users with eight events, ``users`` with one."""
    usual = events()
    rows = {"user": [f"once{n}" for n in range(users)], "item": [f"i{n % 12}" for n in range(users)], "time": [1.6e9 + n for n in range(users)]}
    return {name: [*usual[name], *rows[name]] for name in usual}


def kept_apart() -> dict[str, Any]:
    """Items of the newest tenth occur nowhere else."""
    rows = events()
    rows["item"] = [f"new{n % 12}" if n >= 144 else item for n, item in enumerate(rows["item"])]
    return rows


def one_late(value: str) -> Any:
    return lambda n, rng: [("tv", "phone")[k] for k in rng.integers(0, 2, n - 3)] + [value] * 3


Told = Mapping[str, Any]
ODD: Mapping[str, tuple[Any, Told, Told, str]] = {
    "all labels 1": (lambda: events(label=1), {"label": "label"}, {"use": "Random"}, "every training label is 1: the click head has no negatives"),
    "all labels 0": (lambda: events(label=0), {"label": "label"}, {"use": "Random"}, "every training label is 0: nothing was taken"),
    "training labels 0": (
        lambda: events(label=[0] * 128 + [1] * 32),
        {"label": "label", "time": "time"},
        {"use": "ByTime"},
        "every training label is 0: nothing was taken",
    ),
    "one label in validation": (
        lambda: events(label=lambda n, rng: [*rng.integers(0, 2, n - 32), *[1] * 32]),
        {"label": "label", "time": "time"},
        {"use": "ByTime"},
        "every validation label is 1: AUC cannot be told there",
    ),
    "constant context": (
        lambda: events(weather="rain", degrees=7.5),
        {"context": ["weather", "degrees"]},
        {"use": "LeaveLastOut"},
        "context weather has one value only: it cannot matter",
    ),
    "context without values": (
        lambda: events(weather=pl.Series([None] * 160, dtype=pl.String)),
        {"context": ["weather"]},
        {"use": "LeaveLastOut"},
        "context weather is missing in all of training: it cannot matter",
    ),
    "a value in validation only": (
        lambda: events(device=one_late("watch")),
        {"context": ["device"], "time": "time"},
        {"use": "ByTime"},
        "1 value of context device occurs in validation or test only: it is read as missing",
    ),
    "nothing but new items": (
        kept_apart,
        {"time": "time"},
        {"use": "ByTime", "validation": 0.0},
        "all 12 held-out items are new: ",
    ),
    "users with one event": (alone, {"time": "time"}, {"use": "LeaveLastOut"}, "41 of 61 users have one event: they are in training only"),
    "users with one event, by time": (
        alone,
        {"time": "time"},
        {"use": "Random"},
        "41 of 61 users have one event: where it is held out, there is nothing",
    ),
}
MODELS: Mapping[str, Told] = {
    "ContextTransformer": {"width": 8, "blocks": 1, "length": 10},
    "BiasedMF": {"width": 4},
    "EASE": {},
}


def written(folder: Path, name: str, model: str, **more: Any) -> Path:
    """A config of odd data in ``folder``."""
    import tomli_w

    make, columns, split, _ = ODD[name]
    rows = pl.DataFrame(make())
    rows.write_parquet(folder / "events.parquet")
    items = rows["item"].unique(maintain_order=True).to_list()
    pl.DataFrame({"item": [*items, "nobody's"], "title": [f"thing {item}" for item in [*items, "none"]]}).write_parquet(folder / "items.parquet")
    sections = {
        "data": {"events": "events.parquet", "items": "items.parquet", "columns": {"text": ["title"], **columns}},
        "split": split,
        "text": {"use": "HashedText", "width": 16},
        "model": {"use": model, **MODELS[model]},
        "training": {"epochs": 2, "batch": 16, "warmup": 0},
        **more,
    }
    (folder / "odd.toml").write_text(tomli_w.dumps(sections))
    return folder / "odd.toml"


def finite(rows: list[dict[str, Any]]) -> bool:
    return all(math.isfinite(figure["value"]) for row in rows for figure in row["metrics"].values())


@pytest.fixture(autouse=True)
def _cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GERMANE_CACHE", str(tmp_path / "cache"))


@pytest.mark.parametrize(("name", "model"), [(name, model) for name in ODD for model in MODELS if (" labels 0" not in name or model != "EASE")])
def test_it_is_trained_judged_and_asked(name: str, model: str, tmp_path: Path) -> None:
    heads = {"ranking": 1.0, "click": 0.5} if model == "ContextTransformer" and "label" in ODD[name][1] else None
    told: list[str] = []
    config = written(tmp_path, name, model, training={"epochs": 2, "batch": 16, "warmup": 0} | ({"heads": heads} if heads else {}))
    run, judged = train_run(config, tmp_path / "run", noted=lambda note: told.append(note.detail))
    if "label" in ODD[name][1] and model == "EASE":
        assert not any("every" in said for said in told if "training" in said)  # no click head asks for labels
    elif "context" in ODD[name][1] and model != "ContextTransformer":
        assert any(said.startswith(f"{model} reads no context, so it does not see ") for said in told)
    else:
        assert any(said.startswith(ODD[name][3]) for said in told), told
    assert [note["detail"] for note in read_json(run, "about.json")["notes"]] == told
    again = evaluate_run(run)
    assert finite(judged.rows) and finite(again.rows) and len(again.rows) == len(judged.rows)
    shop = germane.load(run)
    context = {column: "watch" for column in ODD[name][1].get("context", ()) if column != "degrees"}
    for query in (Query(), Query(user="u1", context=context), Query(user="once1"), Query(user="nobody", history=("i1", "i2"))):
        slate = shop.recommend(query, n=3)
        assert len(slate.items) == 3 and all(math.isfinite(place.score) for place in slate.items)


def test_who_counts_refuses_what_holds_nothing(tmp_path: Path) -> None:
    with pytest.raises(germane.errors.TrainingError, match="No training event may be a target"):
        train_run(written(tmp_path, "training labels 0", "EASE"), tmp_path / "run")


@pytest.mark.parametrize("model", ["ContextTransformer", "EASE"])
def test_labels_that_are_all_0_leave_nothing_to_rank(model: str, tmp_path: Path) -> None:
    config = written(tmp_path, "all labels 0", model)
    for refuses in (lambda: check(config, timed=False), lambda: train_run(config, tmp_path / "run")):
        with pytest.raises(germane.errors.DataError, match=r"every label is 0: nothing was taken, so there is nothing to learn for ranking\. Bring"):
            refuses()
    assert not (tmp_path / "run").exists()


def test_a_baseline_that_cannot_learn_is_named_before_training(tmp_path: Path) -> None:
    config = written(tmp_path, "all labels 0", "BiasedMF", evaluation={"baselines": ["BiasedMF", "Popular"]})
    for refuses in (lambda: check(config, timed=False), lambda: train_run(config, tmp_path / "run")):
        with pytest.raises(
            germane.errors.DataError, match=r"baselines: Popular cannot be trained beside the model, so leave it out: every label is 0"
        ):
            refuses()
    assert sorted(path.name for path in tmp_path.iterdir() if path.is_dir()) == []


def test_labels_and_rules_that_leave_no_target_between_them() -> None:
    """Where one event in two was clicked and the other ones were liked, lists have nothing to learn from, and clicks have."""
    rows = events(label=[0, 1] * 80, value=[5.0, 1.0] * 80)
    dataset = Dataset.from_frames(rows, columns={"label": "label", "value": "value"}, rules={"positive": ">= 4"})
    split = Random().divide(dataset)
    with pytest.raises(germane.errors.DataError, match=r"no event may be a target: .* and the label column, leave none"):
        check_lessons(Objective(), dataset, split)
    check_lessons(Objective(heads={"click": 1.0}), dataset, split)
    with pytest.raises(germane.errors.DataError, match=r"no event may be a target: \[data.rules\] positive and target leave none"):
        Dataset.from_frames(rows, columns={"value": "value"}, rules={"positive": "> 5"})


def test_a_click_head_says_little_where_nothing_was_ever_clicked(tmp_path: Path) -> None:
    training = {"epochs": 12, "batch": 32, "warmup": 0, "learning_rate": 0.1}
    run, judged = train_run(written(tmp_path, "all labels 0", "BiasedMF", training=training), tmp_path / "run")
    said = germane.load(run).score(pl.DataFrame({"user": ["u1", "nobody"], "item": ["i1", "i2"]}), head="click")
    assert (np.asarray(said) < 0.2).all()
    figures = judged.rows[0]["metrics"]
    assert "auc" not in figures and figures["log_loss"]["value"] < 0.2


def test_epochs_are_chosen_by_what_can_be_told(tmp_path: Path) -> None:
    """Without labels of both classes there is no AUC, and its absence must not choose the first epoch."""
    config = written(tmp_path, "all labels 1", "BiasedMF")
    run, _ = train_run(config, tmp_path / "run")
    curve = read_json(run, "about.json")["curve"]
    assert len(curve) == 2 and all(math.isfinite(epoch["validation"]) for epoch in curve)
    with pytest.raises(
        ConfigError, match=r"metric = 'auc' cannot be told: labels are not of both classes in validation; choose ndcg@10, or say none"
    ):
        train_run(config, tmp_path / "other", sets=["training.metric=auc"])


@pytest.mark.parametrize("name", ODD)
def test_check_says_the_same(name: str, tmp_path: Path) -> None:
    heads = {"ranking": 1.0, "click": 0.5}
    found = check(written(tmp_path, name, "ContextTransformer", training={"heads": heads}), timed=False)
    said = [note["detail"] for note in found.as_json()["notes"]]
    assert any(detail.startswith(ODD[name][3]) for detail in said)
    assert all(f"note      {detail}" in str(found) for detail in said)


def notes(frame: Mapping[str, Any], columns: Told, items: Mapping[str, Any] | None = None, **sections: Any) -> list[str]:
    dataset = Dataset.from_frames(frame, items, columns={"time": "time", **columns})
    config = Config.of({"data": {"events": "e.csv"}, **sections}, Path())
    return [note.detail for note in notes_of(dataset, config.split.divide(dataset), config)]


BY_KIND = {"events": "e.csv", "columns": {"kind": "kind"}}


def test_ordinary_data_have_no_notes() -> None:
    usual = events(weather=half(("rain", "sun")), label=1)
    assert notes(usual, {"context": ["weather"]}, split={"use": "ByTime"}) == []
    assert notes(alone(1), {}) == []  # one user in twenty-one is nothing to speak of


def test_several_values_are_counted_and_lists_are_as_many_values() -> None:
    late = events(device=lambda n, rng: ["tv|radio", "phone"] * (n // 2 - 2) + ["watch|tv", "glasses", "ring|watch", "tv"])
    said = notes(late, {"context": ["device"]}, split={"use": "ByTime"})
    assert said == ["3 values of context device occur in validation or test only: they are read as missing"]


def test_a_value_beside_missing_ones_may_matter() -> None:
    assert notes(events(weather=half(("rain", None))), {"context": ["weather"]}) == []


@pytest.mark.parametrize(
    ("model", "columns", "said"),
    [
        ("ContextTransformer", {"text": ["title"]}, "only their content speaks for them"),
        ("FactorisationMachine", {"side": ["title"]}, "only their content speaks for them"),
        ("ContextTransformer", {}, "nothing that is read tells them apart: name their texts or facts in [data.columns] text and side"),
        ("FactorisationMachine", {"text": ["title"]}, "nothing that is read tells them apart"),
        ("ALS", {"text": ["title"]}, "ALS reads nothing of their content; models that do are ContentNeighbours, ContextTransformer, DCNv2"),
    ],
)
def test_new_items_are_known_by_what_a_model_reads(model: str, columns: Told, said: str) -> None:
    rows = kept_apart()
    items = {"item": sorted(set(rows["item"])), "title": ["thing"] * len(set(rows["item"]))}
    heard = notes(rows, columns, items, split={"use": "ByTime", "validation": 0.0}, model={"use": model})
    assert len(heard) == 1 and heard[0].startswith(f"all 12 held-out items are new: {said}")


def test_what_a_model_does_not_read_is_said_with_those_that_do() -> None:
    rows = events(weather=half(("rain", "sun")))
    heard = notes(rows, {"context": ["weather"]}, model={"use": "ALS"}, evaluation={"variants": ["without context", "typos in words"]})
    able = "ContextTransformer, DCNv2, FactorisationMachine, TensorFactorisation"
    assert heard == [
        f"ALS reads no context, so it does not see weather; models that do are {able}",
        f"ALS reads no context, so there are no rows for without context; models that read it are {able}",
    ]


def test_columns_that_nothing_reads_are_named() -> None:
    rows = events(released=[f"20{n % 20 + 1:02d}-05-01" for n in range(160)], mood=half(("calm", "glad")))
    items = {"item": [f"i{n}" for n in range(12)], "time": [f"19{n + 10}-01-02" for n in range(12)], "emb": [[0.5, n] for n in range(12)]}
    said = {"context": ["released", "mood"], "side": ["time"], "vector": "emb"}
    read = 'put a number of it, such as the year, in its place, or say [data.types] {} = "category", so that each value stands for itself'
    assert notes(rows, said, items) == [
        f"context released holds times, which no feature reads there: {read.format('released')}",
        f"side time holds times, which no feature reads there: {read.format('time')}",
        "vector emb is read by nothing yet: leave it out of [data.columns]",
    ]
    assert not any("side time holds" in one for one in notes(rows, said, items, model={"use": "TensorFactorisation"}))  # it reads no side at all


@pytest.mark.parametrize(
    ("options", "accumulate", "processes", "parts"),
    [({}, 2, 1, 2), ({}, 1, 3, 3), ({}, 2, 3, 6), ({}, 1, 1, None), ({"norm": False}, 2, 3, None), ({"layers": []}, 2, 1, None)],
)
def test_a_norm_over_parts_of_a_step_is_noted(options: Mapping[str, Any], accumulate: int, processes: int, parts: int | None) -> None:
    training = {"accumulate": accumulate, "heads": {"click": 1.0}}
    dataset = Dataset.from_frames(events(), columns={"time": "time"})
    config = Config.of({"data": {"events": "e.csv"}, "model": {"use": "DCNv2", **options}, "training": training}, Path())
    said = [note.detail for note in notes_of(dataset, config.split.divide(dataset), config, processes)]
    assert said == [] if parts is None else len(said) == 1 and f"(norm = true), here one of {parts} parts of a step" in said[0]


@pytest.mark.parametrize(("text", "columns", "noted"), [(None, {}, True), (None, {"text": ["title"]}, False), ("HashedText", {}, False)])
def test_a_prompt_that_no_language_model_reads(text: str | None, columns: Told, noted: bool) -> None:
    items = {"item": [f"i{n}" for n in range(12)], "title": [f"thing {n}" for n in range(12)]}
    sections = {"data": {"events": "e.csv", "prompt": "{title}"}} | ({"text": {"use": text}} if text else {})
    assert any(one.startswith("the prompt is not read") for one in notes(events(), columns, items, **sections)) is noted


@pytest.mark.parametrize(
    ("model", "text", "columns", "said"),
    [
        ("ContextTransformer", None, {}, "for without texts no language model is: name the columns that hold texts in [data.columns] text, or say"),
        ("ContextTransformer", "NoText", {"text": ["title"]}, "for without texts no language model is"),
        ("EASE", None, {"text": ["title"]}, "for EASE reads no words; models that do are ContextTransformer"),
        ("ContextTransformer", None, {"text": ["title"]}, None),
        ("ContextTransformer", "HashedText", {}, None),
    ],
)
def test_words_that_nothing_reads(model: str, text: str | None, columns: Told, said: str | None) -> None:
    items = {"item": [f"i{n}" for n in range(12)], "title": [f"thing {n}" for n in range(12)]}
    sections = {"model": {"use": model}} | ({"text": {"use": text}} if text else {})
    heard = [one for one in notes(events(asked=half(("red", "blue"))), {"words": "asked", **columns}, items, **sections) if one.startswith("words")]
    assert heard == [] if said is None else len(heard) == 1 and heard[0].startswith(f"words asked is not read, {said}")


def test_a_kind_that_no_event_has_is_named_with_the_nearest() -> None:
    said = notes(events(kind=half(("buy", "view"))), {"kind": "kind"}, evaluation={"exclude_seen": ["byu", "view"]}, data=BY_KIND)
    assert said == [
        "[evaluation] exclude_seen names 'byu': no event is of that kind, so none counts as seen by it; kinds are buy, view. Did you mean buy"
    ]


def test_validation_is_judged_where_nothing_of_the_test_can_be(tmp_path: Path) -> None:
    """The one test event takes again what its user took before, and lists leave that out."""
    rows = events(split=["train"] * 120 + ["validation"] * 39 + ["test"])
    rows["item"][-1] = rows["item"][19]
    pl.DataFrame(rows).write_csv(tmp_path / "events.csv")
    said = '[data]\nevents = "events.csv"\n[data.columns]\ntime = "time"\nsplit = "split"\n[split]\nuse = "Given"\n[model]\nuse = "Popular"\n'
    (tmp_path / "c.toml").write_text(said + '[evaluation]\nbaselines = ["EASE"]\n')
    run, judged = train_run(tmp_path / "c.toml", tmp_path / "run")
    assert {(row["name"], row["split"]) for row in judged.rows} == {("Popular", "validation"), ("EASE", "validation")}
    assert not evaluate_run(run).rows  # asked for the test part, it says nothing of another


# -- the command line ----------------------------------------------------------------------------------------------


def call(monkeypatch: pytest.MonkeyPatch, *words: object) -> int:
    monkeypatch.setattr(sys, "argv", ["germane", *map(str, words)])
    with pytest.raises(SystemExit) as left:
        cli.main()
    return int(left.value.code or 0)


def test_train_says_them_first_unless_it_is_to_be_quiet(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    config, said = written(tmp_path, "constant context", "ContextTransformer"), "note: context weather has one value only: it cannot matter"
    assert call(monkeypatch, "train", config, "-o", tmp_path / "a") == 0
    assert said in capsys.readouterr().err
    assert call(monkeypatch, "train", config, "-o", tmp_path / "b", "--quiet") == 0
    assert "note" not in capsys.readouterr().err
    assert call(monkeypatch, "train", config, "-o", tmp_path / "c", "--json") == 0
    printed = capsys.readouterr()
    notes = json.loads(printed.out)["notes"]
    assert {"code": "constant_context", "detail": said.removeprefix("note: ")} in notes and "note" not in printed.err
    assert notes == read_json(tmp_path / "c", "about.json")["notes"]


@pytest.mark.parametrize(
    ("model", "more", "said"),
    [
        (
            "EASE",
            {"training": {"heads": {"rating": 1.0}}},
            "asks for rating, and EASE gives ranking only; models that do are BiasedMF, ContextTransformer",
        ),
        ("EASE", {"training": {"loss": "mse"}}, "asks for rating, and EASE gives ranking only; models that do are BiasedMF, ContextTransformer"),
        (
            "EASE",
            {"features": {"use": ["Time", "Categories"]}},
            "[features] asks for Time, Categories, and EASE reads no context; models that do are Con",
        ),
        ("EASE", {"features": {"Time": {}}}, "and EASE reads no context; models that do are ContextTransformer, DCNv2"),
        (
            "ContextTransformer",
            {"text": {"use": "PretrainedText"}},
            "[text] use = 'PretrainedText' needs texts: name them in [data.columns] text, or leave [text] out; all models but",
        ),
    ],
)
def test_what_a_model_cannot_do_is_refused_before_anything_is_trained(
    model: str, more: Told, said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    config = written(tmp_path, "constant context", model, **more)
    if "text" in more:
        config.write_text(config.read_text().replace('text = [\n    "title",\n]', ""))
    for words in (("train", config, "-o", tmp_path / "run"), ("check", config, "--no-estimate")):
        assert call(monkeypatch, *words) == 2
        heard = capsys.readouterr().err.strip()
        assert said in heard and "\n" not in heard
    assert not (tmp_path / "run").exists() and not (tmp_path / "run.partial").exists()


def test_all_models_but_one_do_without_texts(tmp_path: Path) -> None:
    """As the sentence says that refuses a language model where there are none."""
    dataset = Dataset.from_frames(events())
    needing = []
    for name, part in exported(models, Model).items():
        try:
            (part(members=[{"use": "EASE"}, {"use": "Popular"}]) if name == "Blend" else part()).check(dataset, NoText())
        except AbilityError:
            needing.append(name)
    assert needing == ["ContentNeighbours"]


def test_no_features_at_all_may_be_asked_of_anyone(tmp_path: Path) -> None:
    assert check(written(tmp_path, "constant context", "EASE", features={"use": []}), timed=False).config.features == ()


@pytest.mark.parametrize(
    ("model", "training", "said"),
    [
        ("DCNv2", {"loss": "bpr"}, ["DCNv2 learns its click head, so [training] loss = 'bpr' is not read"]),
        ("ALS", {"loss": "bce"}, ["ALS learns in a way of its own, so [training] loss = 'bce' is not read"]),
        ("SASRec", {"rating_loss": "ordinal", "loss": "bpr"}, ["SASRec learns its ranking head, so [training] rating_loss = 'ordinal' is not read"]),
        ("BiasedMF", {"loss": "mse"}, []),
    ],
)
def test_losses_of_heads_that_a_model_has_not_are_said(model: str, training: Told, said: list[str]) -> None:
    found = notes(events(value=half((3.0, 4.0))), {"value": "value"}, model={"use": model}, training=training)
    assert [detail for detail in found if "is not read" in detail] == said
