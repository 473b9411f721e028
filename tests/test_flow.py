"""What a newcomer does, from files to answers, on data of different shapes."""

from __future__ import annotations

import json
import random
import re
import shlex
import sys
from pathlib import Path

import polars as pl
import pytest

from germane import cli

SMALL = ("--set", "model.width=8", "--set", "model.blocks=1", "--set", "training.epochs=1")


def germane(monkeypatch: pytest.MonkeyPatch, *words: object) -> int:
    monkeypatch.setattr(sys, "argv", ["germane", *map(str, words)])
    with pytest.raises(SystemExit) as left:
        cli.main()
    return int(left.value.code or 0)


def events(folder: Path, shape: str) -> list[str]:
    """Files of 30 people and 60 things, and what init is told of them."""
    draw = random.Random(5)
    rows = [{"customer": f"c{draw.randrange(30)}", "sku": f"{draw.randrange(60):03d}"} for _ in range(600)]
    if shape == "bare":
        pl.DataFrame(rows).write_csv(folder / "events.csv")
        return ["events.csv"]
    if shape == "lines":
        told = [{**row, "kind": draw.choice(["view", "view", "buy"]), "at": 1_700_000_000_000 + 60_000 * n} for n, row in enumerate(rows)]
        pl.DataFrame(told).rename({"at": "timestamp"}).write_ndjson(folder / "events.jsonl")
        return ["events.jsonl"]
    told = [
        {
            **row,
            "when": f"2026-03-{1 + n // 30:02d}T{n % 24:02d}:00",
            "weather": draw.choice(["rain", "sun", ""]),
            "degrees": f"{n % 30},5",
            "query": draw.choice(["", "red", "cheap lamp"]),
        }
        for n, row in enumerate(rows)
    ]
    pl.DataFrame(told).write_csv(folder / "events.csv", separator=";")
    pl.DataFrame(
        {"sku": [f"{n:03d}" for n in range(60)], "title": [f"ä red thing {n}" for n in range(60)], "genre": ["a|b", "b"] * 30}
    ).write_parquet(folder / "i.parquet")
    pl.DataFrame({"id": [f"c{n}" for n in range(30)], "tier": ["gold", "tin", "tin"] * 10}).write_csv(folder / "users.tsv", separator="\t")
    return ["events.csv", "--items", "i.parquet", "--users", "users.tsv"]


@pytest.mark.parametrize("shape", ["bare", "lines", "rich"])
def test_from_files_to_answers(shape: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("GERMANE_CACHE", str(tmp_path / "cache"))
    assert germane(monkeypatch, "init", *events(tmp_path, shape)) == 0
    text = ("--set", "text.use=HashedText", "--set", "text.width=16") if shape == "rich" else ()
    assert germane(monkeypatch, "check", "germane.toml", *SMALL, *text) == 0
    assert germane(monkeypatch, "train", "germane.toml", "-o", "run", "--quiet", *SMALL, *text) == 0
    assert germane(monkeypatch, "evaluate", "run") == 0
    capsys.readouterr()
    assert germane(monkeypatch, "describe", "run", "--json") == 0
    told = json.loads(capsys.readouterr().out)
    assert (
        told["items"] == 60
        and {c["name"] for c in told["columns"]} == {"bare": set(), "lines": {"time"}, "rich": {"time", "weather", "degrees"}}[shape]
    )
    (tmp_path / "q.jsonl").write_text(json.dumps(told["example"]) + "\n{}\n")  # the example is a query
    assert germane(monkeypatch, "recommend", "run", "--queries", "q.jsonl", "-o", "s.jsonl") == 0
    first, stranger = (json.loads(line) for line in (tmp_path / "s.jsonl").read_text().splitlines())
    assert len(first["items"]) == 5 and len(stranger["items"]) == 10 and not first["notes"]
    for shown in (*first["items"], *stranger["items"]):
        assert sum(reason["weight"] for reason in shown["reasons"]) == pytest.approx(shown["score"], abs=1e-4)
    (tmp_path / "p.csv").write_text("customer,sku\nc1,003\nc2,019\n")
    assert germane(monkeypatch, "score", "run", "--pairs", "p.csv", "-o", "scored.parquet") == 0
    assert pl.read_parquet(tmp_path / "scored.parquet")["score"].is_finite().all()


def test_from_own_texts_to_a_decision(tiny_bert: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """The commands of docs/tuning.md, as they stand there."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("GERMANE_CACHE", str(tmp_path / "cache"))
    draw = random.Random(3)
    words = (["quiet", "film", "about", "rain"], ["new", "war", "in", "space"])
    titles = [" ".join(draw.choices(words[n % 2], k=4)) for n in range(60)]
    pl.DataFrame({"item": [f"i{n}" for n in range(60)], "title": titles}).write_csv("items.csv")
    taken = [(f"u{u}", f"i{2 * draw.randrange(30) + u % 2}", 1_700_000_000 + 86_400 * step + u) for u in range(40) for step in range(8)]
    pl.DataFrame(taken, schema=["user", "item", "time"], orient="row").write_csv("events.csv")
    Path("shop.toml").write_text(f"""
        [data]
        events = "events.csv"
        items = "items.csv"
        columns = {{user = "user", item = "item", time = "time", text = ["title"]}}
        rules = {{hold_out_items = 8}}
        [text]
        model = "{tiny_bert}"
        frozen_epochs = 1
        [model]
        width = 8
        blocks = 1
        [training]
        epochs = 4
        batch = 8
        learning_rate = 0.01
        warmup = 1
        [pretraining]
        steps = 10
        head_steps = 5
    """)
    page = (Path(__file__).parents[1] / "docs" / "tuning.md").read_text(encoding="utf-8")
    block = re.search(r"## From your own texts to a decision\n.*?```sh\n(.*?)```", page, re.DOTALL)
    assert block is not None
    commands = [shlex.split(line)[1:] for line in block[1].splitlines()]
    assert [command[0] for command in commands] == ["pretrain", "train", "train", "compare"]
    for command in commands:
        assert germane(monkeypatch, *command) == 0, capsys.readouterr().err
    said = capsys.readouterr().out
    report = json.loads(Path("report.json").read_text())
    assert report["verdict"][0] in said and "frozen" in report["verdict"][0] and "lora" in report["verdict"][0]

    pretrained = json.loads(Path("models/shop/pretraining.json").read_text())
    assert pretrained["base"]["model"] == str(tiny_bert) and pretrained["steps"] == 10
    frozen, lora = report["runs"]
    assert frozen["text_trained_share"] == 0
    assert lora["text_trained_share"] == lora["parameters"]["text_trainable"] / lora["parameters"]["text_total"]
    assert 0 < lora["text_trained_share"] < 0.5
    share = f"{lora['text_trained_share']:.2%}".replace("%", " %")
    row = re.search(r"language model&#x27;s, trained</th>(.*?)</tr>", Path("report.html").read_text())
    assert row is not None and row[1] == f"<td>0.00 %</td><td>{share}</td>"
    assert {line["name"]: line["values"] for line in report["options"]} == {"text.tuning": ["frozen", "lora"]}
    assert {"all", "new items"} <= {test["segment"] for test in report["tests"]}
    assert (Path("runs/lora") / "text.safetensors").is_file() and not (Path("runs/frozen") / "text.safetensors").exists()
    assert germane(monkeypatch, "recommend", "runs/lora", "--user", "u1", "-k", "3") == 0
