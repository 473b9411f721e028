from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from germane.config import Config, _plain, apply
from germane.data import ByTime, Given, LeaveLastOut, Splitter
from germane.encoders import PretrainedText
from germane.errors import ConfigError
from germane.models import ContextTransformer, ItemNeighbours

GOOD = """
seed = 3
[data]
events = "events.csv"
[data.columns]
user = "user"
item = "item"
[model]
use = "ContextTransformer"
width = 32
"""


def write(folder: Path, text: str) -> Path:
    path = folder / "c.toml"
    path.write_text(text)
    return path


def test_parts_are_made(tmp_path: Path) -> None:
    config = Config.read(write(tmp_path, GOOD))
    assert isinstance(config.model, ContextTransformer) and config.model.options.width == 32
    assert config.seed == 3 and config.policy.settings() == {}


def test_set_changes_any_key(tmp_path: Path) -> None:
    config = Config.read(write(tmp_path, GOOD.replace("width = 32\n", "")), ["model.use=ItemNeighbours", "model.neighbours=5", "seed=9"])
    assert isinstance(config.model, ItemNeighbours) and config.model.options.neighbours == 5 and config.seed == 9
    assert "neighbours = 5" in config.dump()


def test_all_faults_at_once(tmp_path: Path) -> None:
    text = GOOD.replace("width = 32", "widht = 32") + '[training]\nepochs = 0\n[polcy]\nuse = "Greedy"\n[split]\nuse = "ByTme"\n'
    with pytest.raises(ConfigError) as caught:
        Config.read(write(tmp_path, text))
    said = "\n".join(caught.value.faults)
    assert "Did you mean width?" in said and "epochs" in said and "Did you mean policy?" in said and "Did you mean ByTime?" in said
    assert len(caught.value.faults) == 4


def test_faults_of_every_kind_are_told_before_the_data_are_read() -> None:
    sections = {
        "data": {
            "events": "ghost.csv",
            "timezone": "Mars/Base",
            "types": {"a": "categry", "b": "time:%Q"},
            "columns": {"usr": "u"},
        },
        "model": {"widht": 3},
        "ranker": {"use": "Foo", "shre": 1},
        "training": {"metric": "foo", "device": "toaster"},
    }
    with pytest.raises(ConfigError) as caught:
        Config.of(sections, Path())
    for said in ("should be a time zone", "Did you mean category", "time:%Q", "'usr'", "'widht'", "[ranker] use = 'Foo'", "device = 'toaster'"):
        assert any(said in fault for fault in caught.value.faults), said
    with pytest.raises(ConfigError) as caught:  # what stands in for a model that cannot be made is not to blame
        Config.of({"data": {"events": "e.csv"}, "model": {"widht": 3}, "features": {"Time": {}}, "training": {"heads": {"click": 1.0}}}, Path())
    assert len(caught.value.faults) == 1
    sound = {"data": {"events": "ghost.csv", "rules": {"positive": "> 3", "target": "buy"}}, "evaluation": {"exclude_seen": ["buy"]}}
    with pytest.raises(ConfigError) as caught:
        Config.of({**sound, "training": {"metric": "aux", "device": "toaster"}}, Path())
    begins = ["[data.rules] positive", "[data.rules] kinds, target", "[evaluation] exclude_seen = ['buy'] names kinds", "[training] metric = 'aux'"]
    assert [fault.startswith(one) for fault, one in zip(caught.value.faults, begins, strict=False)] == [True] * 4 and len(caught.value.faults) == 5
    named = {**sound["data"], "columns": {"kind": "kind", "value": "stars"}}
    heads = {"ranking": 1.0, "click": 1.0}
    for metric in ("ndcg@5", "auc"):
        assert (
            Config.of({**sound, "data": named, "training": {"metric": metric, "device": "cuda:1", "heads": heads}}, Path()).training.metric == metric
        )


def test_no_file_and_no_toml(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="not a config"):
        Config.read(tmp_path / "ghost.toml")
    with pytest.raises(ConfigError, match="not TOML"):
        Config.read(write(tmp_path, "seed = ["))


@pytest.mark.parametrize("path", sorted(Path(__file__).parents[1].glob("configs/*.toml")), ids=lambda p: p.stem)
def test_every_shipped_config_loads(path: Path) -> None:
    assert Config.read(path).sections


def test_a_section_is_a_table_and_a_top_key_is_seed() -> None:
    with pytest.raises(ConfigError) as caught:
        Config.of({"data": {"events": "e.csv"}, "model": 3, "sed": 1, "seed": -1, "policy": {"use": 4}}, Path())
    said = caught.value.faults
    assert any("write [model]" in fault for fault in said) and any("Did you mean seed?" in fault for fault in said)
    assert any("seed = -1" in fault for fault in said) and any(fault.startswith("[policy]") for fault in said)


@pytest.mark.parametrize(
    ("change", "value"),
    [
        ("text.tuning=top:2", "top:2"),
        ("data.rules.positive=>= 4", ">= 4"),
        ("training.epochs = 5 ", 5),
        ("evaluation.k=[5, 10]", [5, 10]),
        ("split.test_from=2026-05-01", "2026-05-01"),
        ("data.events=a=b.csv", "a=b.csv"),
        ("model.note=1\nseed = 2", "1\nseed = 2"),
        ("data.types.cooked at=time", "time"),
    ],
)
def test_what_is_no_toml_value_is_a_string(change: str, value: object) -> None:
    sections: dict[str, object] = {"seed": 1}
    apply(sections, change)
    found: object = _plain(sections)
    for step in change.partition("=")[0].strip().split("."):
        assert isinstance(found, dict)
        found = found[step]
    assert found == value and sections["seed"] == 1


@pytest.mark.parametrize("name", ["user.age", "a=b", 'the "age"', ".", "it's"])
def test_names_that_hold_a_dot_stand_in_quotes(name: str) -> None:
    for written in (json.dumps(name), f"'{name}'"):
        if written[1:-1] == name and written[0] not in name:
            sections: dict[str, Any] = {}
            apply(sections, f"data.types. {written} =number")
            assert sections == {"data": {"types": {name: "number"}}}


@pytest.mark.parametrize("change", ["epochs", "=3", "training.=3", "seed.x=1", 'data."a.b=3', "data..a=3", ".a=3"])
def test_a_change_that_cannot_be_made(change: str) -> None:
    with pytest.raises(ConfigError, match="--set"):
        apply({"seed": 1}, change)


def test_a_language_model_needs_texts() -> None:
    data = {"events": "e.csv"}
    with pytest.raises(ConfigError, match="needs texts"):
        Config.of({"data": data, "text": {"use": "PretrainedText"}}, Path())
    for sections in (
        {"data": {**data, "columns": {"text": ["title"]}}, "text": {"use": "PretrainedText"}},
        {"data": {"use": "MovieLens100K"}, "text": {"use": "PretrainedText"}},
        {"data": data, "text": {"use": "HashedText"}},
        {"data": data, "text": {"use": "NoText"}},
    ):
        assert Config.of(sections, Path()).encoder is not None


def test_an_unknown_source_is_told_with_the_rest() -> None:
    with pytest.raises(ConfigError) as caught:
        Config.of({"data": {"use": "MovieLens10K"}, "training": {"epochs": 0}}, Path())
    assert len(caught.value.faults) == 2 and "Did you mean MovieLens100K?" in str(caught.value)


def test_features_by_name_with_their_own_tables() -> None:
    config = Config.of({"data": {"events": "e.csv"}, "features": {"use": ["Time", "Categories"]}}, Path())
    assert config.features is not None and [type(part).__name__ for part in config.features] == ["Time", "Categories"]
    with pytest.raises(ConfigError) as caught:
        Config.of({"data": {"events": "e.csv"}, "features": {"use": ["Time", "Tme"], "Tiem": {}, "Time": {"cycle": 1}}}, Path())
    said = "\n".join(caught.value.faults)
    assert "[features.Tiem] belongs to no feature" in said and "use = 'Tme'" in said and "no option 'cycle'" in said


def test_the_same_config_has_the_same_hash_in_any_order() -> None:
    one = Config.of({"seed": 1, "data": {"events": "e.csv", "prompt": "{a}"}}, Path())
    other = Config.of({"data": {"prompt": "{a}", "events": "e.csv"}, "seed": 1}, Path("elsewhere"))
    assert one.sha256 == other.sha256 != Config.of({"seed": 2, "data": {"events": "e.csv", "prompt": "{a}"}}, Path()).sha256


def test_what_is_dumped_loads_again(tmp_path: Path) -> None:
    text = GOOD + '[split]\nuse = "ByTime"\ntest_from = 2026-05-01\n[data.rules]\nmin_user_events = 3\n'
    config = Config.read(write(tmp_path, text))
    (tmp_path / "again.toml").write_text(config.dump())
    again = Config.read(tmp_path / "again.toml")
    assert again.sections == config.sections and again.sha256 == config.sha256


def test_files_that_are_no_config(tmp_path: Path) -> None:
    write(tmp_path, GOOD)
    with pytest.raises(ConfigError, match="folder"):
        Config.read(tmp_path)
    (tmp_path / "latin.toml").write_bytes("seed = 1 # für".encode("latin-1"))
    with pytest.raises(ConfigError, match="UTF-8"):
        Config.read(tmp_path / "latin.toml")
    (tmp_path / "marked.toml").write_bytes(b"\xef\xbb\xbf" + GOOD.encode())
    assert Config.read(tmp_path / "marked.toml").seed == 3
    with pytest.raises(ConfigError, match="Did you mean marked"):
        Config.read(tmp_path / "marke.toml")


def test_a_baseline_has_options_and_its_faults_are_told_before_anything_is_trained(tmp_path: Path) -> None:
    said = {"data": {"events": "e.csv"}, "evaluation": {"baselines": ["Popular", {"use": "PopularLately", "days": 7}]}}
    assert [repr(part) for part in Config.of(said, tmp_path).baselines] == ["Popular()", "PopularLately(days=7.0)"]
    said["evaluation"] = {"baselines": ["Populr", {"use": "PopularLately", "dais": 7}, {"days": 3}]}
    with pytest.raises(ConfigError) as told:
        Config.of(said, tmp_path)
    assert len(told.value.faults) == 3 and all(fault.startswith("[evaluation] baselines") for fault in told.value.faults)
    assert "Did you mean Popular?" in told.value.faults[0] and "Did you mean days?" in told.value.faults[1]


def test_a_language_model_lies_beside_the_config_wherever_one_stands(tiny_bert: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import shutil

    shutil.copytree(tiny_bert, tmp_path / "shop" / "language")
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    said = {"data": {"events": "e.csv", "columns": {"text": ["title"]}}, "text": {"model": "language"}}
    read = Config.of(said, tmp_path / "shop")
    assert isinstance(read.encoder, PretrainedText) and read.encoder.folder == (tmp_path / "shop" / "language").resolve()
    assert read.sections["text"] == {"model": "language"}  # what was said is what is kept


@pytest.mark.parametrize(
    ("data", "said", "split"),
    [
        ({"test": "t.csv"}, {}, Given()),
        ({"validation": "v.csv"}, {}, Given()),
        ({"columns": {"split": "part"}}, {}, Given()),
        ({"test": "t.csv"}, {"use": "ByTime"}, ByTime()),
        ({}, {}, LeaveLastOut()),
    ],
)
def test_parts_that_data_say_are_kept_apart(data: dict[str, Any], said: dict[str, Any], split: Splitter) -> None:
    sections = {"data": {"events": "e.csv", **data}, **({"split": said} if said else {})}
    assert repr(Config.of(sections, Path()).split) == repr(split)


def test_the_published_parts_of_a_known_source_are_kept_apart() -> None:
    assert [type(Config.of({"data": {"use": name}}, Path()).split) for name in ("Frappe", "Beauty")] == [Given, LeaveLastOut]
