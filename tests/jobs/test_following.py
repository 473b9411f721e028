from __future__ import annotations

import json
import os
import subprocess
import sys
import types
from collections.abc import Callable, Iterator
from importlib.machinery import ModuleSpec
from pathlib import Path
from typing import Any

import pytest

import germane
from germane.bundle import load
from germane.config import Config
from germane.errors import ConfigError
from germane.jobs.following import without_passwords
from germane.jobs.pretrain import pretrain
from germane.jobs.run import train_run
from germane.models import Popular
from germane.recommender import Recommender
from germane.training import Told

TIMED = {"events_per_second", "peak_mb", "seconds"}


@pytest.fixture(autouse=True)
def alone() -> Iterator[None]:
    """accelerate remembers for the whole process that it is the only one; other tests ask as one of several."""
    yield
    from accelerate import PartialState

    PartialState._reset_state()


def lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def untimed(path: Path) -> list[dict[str, Any]]:
    return [{name: value for name, value in line.items() if name not in TIMED} for line in lines(path)]


class Stop:
    """Interrupts a training at a step of an epoch."""

    def __init__(self, epoch: int, step: int, part: str = "") -> None:
        self.at = (part, epoch, step, False)

    def __call__(self, told: Told) -> None:
        if (told.part, told.epoch, told.step, told.ended) == self.at:
            raise KeyboardInterrupt


def test_a_curve_is_part_of_the_run(config: Callable[..., Config], tmp_path: Path) -> None:
    run, _ = train_run(config(tracking={"every": 2}), tmp_path / "run")
    about = json.loads((run / "about.json").read_text())
    curve = lines(run / "curve.jsonl")
    ends = [line for line in curve if line.get("ended")]
    assert "curve.jsonl" in about["files"]
    assert [(line["epoch"], line["loss"], line["validation"]) for line in ends] == [
        (line["epoch"], line["loss"], line["validation"]) for line in about["curve"]
    ]
    points = [line for line in curve if not line.get("ended")]
    assert [line["step"] for line in points] == list(range(2, ends[-1]["step"] + 1, 2))
    assert all(line["losses"] == {"ranking": line["loss"]} and line["rate"] > 0 and line["peak_mb"] > 0 for line in points)
    assert ends[-1]["events_per_second"] > 0 and ends[-1]["at"] == 3
    assert not (tmp_path / "tracking").exists() and not (run / "samples.jsonl").exists()
    load(run)
    (run / "curve.jsonl").write_text("")
    with pytest.raises(Exception, match="curve\\.jsonl is not the file that was written"):
        load(run)


@pytest.mark.parametrize("training", [{}, {"refit": True}])
def test_what_was_interrupted_leaves_no_double_line_and_no_gap(config: Callable[..., Config], tmp_path: Path, training: dict[str, Any]) -> None:
    said = config(tracking={"every": 2, "samples": 2}, training=training)
    whole, _ = train_run(said, tmp_path / "whole")
    with pytest.raises(KeyboardInterrupt):
        train_run(said, tmp_path / "run", progress=Stop(2, 3))
    torn = tmp_path / "run.partial" / "curve.jsonl"
    assert lines(torn)[-1]["epoch"] == 2
    torn.write_text(torn.read_text() + '{"step": 9, "par')
    run, _ = train_run(said, tmp_path / "run", resume=True)
    assert untimed(run / "curve.jsonl") == untimed(whole / "curve.jsonl")
    assert lines(run / "samples.jsonl") == lines(whole / "samples.jsonl")
    parts = {line["part"] for line in lines(run / "curve.jsonl")}
    assert parts == ({"", "refit"} if training else {""})


def test_members_of_a_blend_are_told_apart(config: Callable[..., Config], tmp_path: Path) -> None:
    member = {"use": "SASRec", "width": 8, "blocks": 1, "length": 8}
    blend = {"model": {"use": "Blend", "members": [member, {"use": "Popular"}, member]}}
    said = Config.of({**config(training={"epochs": 2}).sections, **blend}, config().base)
    ahead: list[tuple[str, int, int]] = []
    run, _ = train_run(said, tmp_path / "run", progress=lambda told: ahead.append((told.part, told.epoch, told.ahead)) if told.ended else None)
    assert ahead == [("member 1", 1, 3), ("member 1", 2, 2), ("member 3", 1, 1), ("member 3", 2, 0)]
    assert [line["part"] for line in lines(run / "curve.jsonl") if line.get("ended")] == ["member 1"] * 2 + ["member 3"] * 2


def test_tensorboard_shows_curves_lists_and_vectors(config: Callable[..., Config], tmp_path: Path) -> None:
    accumulator = pytest.importorskip("tensorboard.backend.event_processing.event_accumulator")
    said = config(tracking={"use": "tensorboard", "every": 2, "samples": 2, "projector": True, "folder": str(tmp_path / "logs")})
    with pytest.raises(KeyboardInterrupt):
        train_run(said, tmp_path / "run", progress=Stop(2, 3))
    run, _ = train_run(said, tmp_path / "run", resume=True)
    folder = tmp_path / "logs" / "tensorboard" / "run"
    found = accumulator.EventAccumulator(str(folder)).Reload()
    curve = lines(run / "curve.jsonl")
    points, ends = [line for line in curve if not line.get("ended")], [line for line in curve if line.get("ended")]
    assert [(event.step, event.value) for event in found.Scalars("loss")] == [
        (line["step"], pytest.approx(line["loss"], rel=1e-6)) for line in points
    ]
    assert [event.value for event in found.Scalars("validation")] == pytest.approx([line["validation"] for line in ends], rel=1e-6)
    assert {"loss/ranking", "rate", "events_per_second", "peak_mb", "epoch/loss"} <= set(found.Tags()["scalars"])
    samples = found.Tensors("samples/text_summary")
    assert [event.step for event in samples] == [line["step"] for line in ends]
    shown = lines(run / "samples.jsonl")[-1]["samples"]
    text = samples[-1].tensor_proto.string_val[0].decode()
    assert all(one["user"] in text and one["took"] in text for one in shown)
    vectors = next(folder.glob("*/items/metadata.tsv")).read_text().splitlines()
    assert vectors[0] == "item\tname" and len(vectors) == 25
    assert dict(line.split("\t") for line in vectors[1:])["i3"] == "umbrella boots number3"
    train_run(said, run, replace=True)
    again = accumulator.EventAccumulator(str(folder)).Reload()
    assert len(again.Scalars("loss")) == len(points), "an earlier training of this name is void"


def test_samples_are_the_same_users_at_each_validation(config: Callable[..., Config], tmp_path: Path) -> None:
    run, _ = train_run(config(tracking={"samples": 3}), tmp_path / "run")
    told = lines(run / "samples.jsonl")
    assert [line["epoch"] for line in told] == [1, 2, 3]
    assert len({tuple(one["user"] for one in line["samples"]) for line in told}) == 1
    for one in told[-1]["samples"]:
        assert len(one["last"]) == 5 and len(one["shown"]) == 10 and one["took"].startswith(("umbrella", "sunscreen"))
        assert one["rank"] is None or (one["rank"] <= 10) == (one["took"] in one["shown"])


@pytest.fixture
def reading(config: Callable[..., Config], tiny_bert: Path) -> Callable[..., Config]:
    """A pretraining on the shop's texts: a look each 4 of 10 steps, or as is said."""

    def make(tracking: dict[str, Any], **said: Any) -> Config:
        quick = {"steps": 10, "look": 4, "batch": 4, "head_steps": 3, "learning_rate": 1e-3, **said}
        text = {"text": {"model": str(tiny_bert)}, "pretraining": quick, "tracking": tracking}
        return Config.of({**config().sections, **text}, config().base)

    return make


@pytest.mark.parametrize("objective", ["masked_words", "contrastive"])
def test_a_pretraining_is_followed_from_look_to_look(reading: Callable[..., Config], tmp_path: Path, objective: str) -> None:
    heard: list[Told] = []
    folder, said = pretrain(reading({"every": 2}, objective=objective), tmp_path / "model", progress=heard.append)
    curve = lines(folder / "curve.jsonl")
    points, ends = [line for line in curve if not line.get("ended")], [line for line in curve if line.get("ended")]
    assert [line["step"] for line in points] == [2, 4, 6, 8, 10] and all(line["losses"] == {objective: line["loss"]} for line in points)
    assert [{"step": line["step"], "loss": line["loss"], "held_out": line["validation"]} for line in ends] == said["curve"][1:]
    assert [(line["epoch"], line["at"], line["part"]) for line in ends] == [(1, 1, ""), (2, 2, ""), (3, 3, "")]
    assert all(line["rate"] >= 0 and line["peak_mb"] > 0 for line in curve) and not (tmp_path / "tracking").exists()
    own = [told for told in heard if told.part == ""]
    assert [(told.epoch, told.step, told.steps) for told in own if told.ended] == [(1, 4, 4), (2, 4, 4), (3, 2, 2)]
    assert [told.ahead for told in own if told.ended] == [2, 1, 0] and len(own) == 10 + 3
    assert [told.part for told in heard[:3]] == ["head" if objective == "masked_words" else ""] * 3


def test_an_interrupted_pretraining_leaves_no_double_line_and_no_gap(reading: Callable[..., Config], tmp_path: Path) -> None:
    accumulator = pytest.importorskip("tensorboard.backend.event_processing.event_accumulator")
    said = reading({"use": "tensorboard", "every": 1, "folder": str(tmp_path / "logs")})
    whole, _ = pretrain(said, tmp_path / "whole")
    with pytest.raises(KeyboardInterrupt):
        pretrain(said, tmp_path / "model", progress=Stop(2, 3))
    assert lines(tmp_path / "model.partial" / "curve.jsonl")[-1]["step"] == 7
    folder, _ = pretrain(said, tmp_path / "model", resume=True)
    assert untimed(folder / "curve.jsonl") == untimed(whole / "curve.jsonl")
    found = accumulator.EventAccumulator(str(tmp_path / "logs" / "tensorboard" / "model")).Reload()
    curve = lines(folder / "curve.jsonl")
    assert [event.step for event in found.Scalars("loss")] == list(range(1, 11))
    told = [(line["step"], pytest.approx(line["validation"], rel=1e-6)) for line in curve if line.get("ended")]
    assert [(event.step, event.value) for event in found.Scalars("validation")] == told and len(told) == 3


class FakeRun:
    def __init__(self, told: dict[str, Any]) -> None:
        self.told, self.logged, self.finished = told, [], 0

    def log(self, values: dict[str, Any], step: int) -> None:
        self.logged.append((step, values))

    def finish(self) -> None:
        self.finished += 1


@pytest.fixture
def wandb(monkeypatch: pytest.MonkeyPatch) -> list[FakeRun]:
    """A module that writes down what it is asked."""
    runs: list[FakeRun] = []

    def init(**told: Any) -> FakeRun:
        runs.append(FakeRun(told))
        return runs[-1]

    fake = types.ModuleType("wandb")
    fake.__spec__ = ModuleSpec("wandb", None)
    for name, value in {"init": init, "Settings": dict, "Error": type("Error", (Exception,), {}), "Table": dict}.items():
        setattr(fake, name, value)
    monkeypatch.setitem(sys.modules, "wandb", fake)
    for name in ("WANDB_MODE", "WANDB_API_KEY", "WANDB_BASE_URL", "WANDB_IDENTITY_TOKEN_FILE"):
        monkeypatch.delenv(name, raising=False)
    return runs


def test_weights_and_biases_gets_the_same_points(config: Callable[..., Config], tmp_path: Path, wandb: list[FakeRun]) -> None:
    said = config(tracking={"use": ["wandb"], "every": 2, "samples": 1, "project": "shop", "run": "first"})
    with pytest.raises(KeyboardInterrupt):
        train_run(said, tmp_path / "run", progress=Stop(2, 3))
    assert wandb[0].finished == 1
    run, _ = train_run(said, tmp_path / "run", resume=True)
    told = wandb[1].told
    assert (told["project"], told["name"], told["mode"], told["resume"], told["dir"]) == (
        "shop",
        "first",
        "offline",
        None,
        str(tmp_path / "tracking"),
    )
    assert told["id"] == wandb[0].told["id"] and told["config"]["model"]["width"] == 8
    assert told["settings"]["console"] == "off" and told["settings"]["disable_git"] and wandb[1].finished == 1
    kept = [line for line in lines(run / "curve.jsonl") if line["epoch"] > 1]
    losses = [(step, values["loss"]) for step, values in wandb[1].logged if "loss" in values]
    assert losses == [(line["step"], line["loss"]) for line in kept if not line.get("ended")]
    assert [values["validation"] for _, values in wandb[1].logged if "validation" in values] == [
        line["validation"] for line in kept if line.get("ended")
    ]
    assert next(table["columns"] for _, values in wandb[1].logged if (table := values.get("samples")))[0] == "user"


def test_weights_and_biases_hears_of_a_pretraining(reading: Callable[..., Config], tmp_path: Path, wandb: list[FakeRun]) -> None:
    folder, _ = pretrain(reading({"use": ["wandb"], "every": 1}), tmp_path / "model")
    assert (wandb[0].told["name"], wandb[0].told["mode"], wandb[0].finished) == ("model", "offline", 1)
    ends = [(line["step"], line["validation"]) for line in lines(folder / "curve.jsonl") if line.get("ended")]
    assert [(step, values["validation"]) for step, values in wandb[0].logged if "validation" in values] == ends
    with pytest.raises(ConfigError, match="there is no account"):
        pretrain(reading({"use": "wandb", "offline": False}), tmp_path / "other")
    assert not (tmp_path / "other.partial").exists() and len(wandb) == 1


def test_weights_and_biases_itself_writes_offline_and_leaves_nobody_behind(tmp_path: Path) -> None:
    pytest.importorskip("wandb")
    code = """
from pathlib import Path
from germane.jobs.trackers import open_wandb
from germane.training.tracking import TrackingOptions
tracker = open_wandb(TrackingOptions(use="wandb", project="shop"), Path("logs"), "first", "abcd1234", {"model": {"width": 8}})
tracker.log({"loss": 0.5}, step=1)
tracker.log_table("samples", columns=["user"], data=[["u1"]], step=1)
tracker.finish()
"""
    away = {name: value for name, value in os.environ.items() if not name.startswith("WANDB")}
    away |= {"HOME": str(tmp_path), "NETRC": str(tmp_path / "none"), "https_proxy": "http://127.0.0.1:9", "WANDB_ERROR_REPORTING": "false"}
    away["PYTHONPATH"] = str(Path(germane.__file__).parents[1])
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, env=away, capture_output=True, text=True, timeout=120, check=True)
    assert done.stdout == done.stderr == ""
    written = next((tmp_path / "logs" / "wandb").glob("offline-run-*-abcd1234/run-abcd1234.wandb"))
    assert b"loss" in written.read_bytes()
    assert "u1" in next(written.parent.glob("files/media/table/*.json")).read_text()
    assert [path for path in Path("/proc").glob("[0-9]*/environ") if str(tmp_path).encode() in environment(path)] == []


def environment(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError:
        return b""


def test_sending_needs_an_account(config: Callable[..., Config], tmp_path: Path, wandb: list[FakeRun], monkeypatch: pytest.MonkeyPatch) -> None:
    said = config(tracking={"use": "wandb", "offline": False})
    rights = tmp_path / "netrc"
    monkeypatch.setenv("NETRC", str(rights))
    with pytest.raises(ConfigError, match=r"there is no account.*wandb login"):
        train_run(said, tmp_path / "run")
    assert not (tmp_path / "run.partial").exists() and not wandb
    rights.write_text("machine api.wandb.ai\n  login user\n  password secret-key\n")
    run, _ = train_run(said, tmp_path / "run")
    assert wandb[0].told["mode"] == "online" and wandb[0].told["resume"] == "allow"
    assert not any(b"secret-key" in path.read_bytes() for path in run.iterdir())
    monkeypatch.setenv("WANDB_MODE", "offline")
    train_run(said, run, replace=True)
    assert wandb[1].told["mode"] == "offline", "the environment may ask for less"


def test_what_cannot_be_followed_is_refused_before(config: Callable[..., Config], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ConfigError, match='add "tensorboard" to use'):
        config(tracking={"projector": True})
    with pytest.raises(ConfigError, match="Did you mean every"):
        config(tracking={"evry": 5})
    with pytest.raises(ConfigError, match="has none, nor do items have texts"):
        bare = config(tracking={"use": "tensorboard", "projector": True}).sections | {"model": {"use": "Popular"}, "text": {"use": "NoText"}}
        train_run(Config.of(bare, config().base), tmp_path / "run")
    monkeypatch.setattr("germane.jobs.trackers.find_spec", lambda name: None)
    with pytest.raises(Exception, match=r"TensorBoard is not installed: pip install 'germane\[tracking\]'"):
        train_run(config(tracking={"use": "tensorboard"}), tmp_path / "run")


def test_a_counted_model_has_no_curve(config: Callable[..., Config], tmp_path: Path) -> None:
    said = Config.of({**config().sections, "model": {"use": "Popular"}}, config().base)
    run, _ = train_run(said, tmp_path / "run")
    assert isinstance(load(run), Recommender) and isinstance(load(run).model, Popular) and not (run / "curve.jsonl").exists()


@pytest.mark.parametrize(
    "address",
    [
        "postgresql://ann:hush@db/shop",
        "postgresql://ann:hu/hush@db/shop",
        "postgresql://ann:hu@hush@db/shop",
        "postgresql://db/shop?user=ann&password=hush",
        "mysql://db/shop?Passwd=hush#there",
    ],
)
def test_nobody_who_follows_is_told_a_password(address: str) -> None:
    told = without_passwords({"data": {"sql": [address, "https://host/@page"]}})["data"]["sql"]
    assert "hush" not in told[0] and "db/shop" in told[0] and told[1] == "https://host/@page"
