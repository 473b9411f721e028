"""A loss that is no number, memory that runs out: what is said, what is kept, how to go on; and kill and resume for every schedule and mean."""

from __future__ import annotations

import json
import shlex
from pathlib import Path
from typing import Any

import polars as pl
import pytest
import torch
from torch import Tensor

from germane.cli.running import _run
from germane.config import apply
from germane.data import LeaveLastOut, NoSplit
from germane.encoders import PretrainedText
from germane.errors import RunError, TrainingError
from germane.jobs.resuming import changes
from germane.jobs.run import train_run
from germane.jobs.train import fit
from germane.models import BiasedMF, ContextTransformer, Learned, SASRec
from germane.recommender import Recommender
from germane.testing.model_contract import small_shop
from germane.training import TrainingOptions
from germane.training.trouble import NotANumber, OutOfMemory, Stopped, is_out_of_memory


class Troubled(SASRec):
    """Learns well until its ``last`` loss."""

    last = 10**9
    trouble: Any = None
    losses = 0

    def loss(self, batch: Any, objective: Any) -> dict[str, Tensor]:
        type(self).losses += 1
        told = super().loss(batch, objective)
        return told if type(self).losses <= self.last else type(self).trouble(told)


def not_a_number(told: dict[str, Tensor]) -> dict[str, Tensor]:
    return {head: loss * torch.nan for head, loss in told.items()}


def steep(told: dict[str, Tensor]) -> dict[str, Tensor]:
    """Finite, and its slope is not."""
    return {head: (loss - loss.detach()).clamp(min=0).sqrt() + loss.detach() for head, loss in told.items()}


def out_of_memory(told: dict[str, Tensor]) -> dict[str, Tensor]:
    return {head: loss + torch.empty(10**15).sum() for head, loss in told.items()}


def of_a_gpu(told: dict[str, Tensor]) -> dict[str, Tensor]:
    raise torch.OutOfMemoryError("CUDA out of memory.")


def of_onednn(told: dict[str, Tensor]) -> dict[str, Tensor]:
    raise RuntimeError("could not create a primitive")


@pytest.fixture
def troubled(monkeypatch: pytest.MonkeyPatch) -> type[Troubled]:
    monkeypatch.setattr(Troubled, "losses", 0)
    return Troubled


STEPS = 5
"""Of an epoch of 40 users, 8 stretches a step."""


@pytest.mark.parametrize(("trouble", "what"), [(not_a_number, "loss"), (steep, "gradient")])
def test_a_loss_that_is_no_number_leaves_the_last_whole_epoch(
    troubled: type[Troubled], monkeypatch: pytest.MonkeyPatch, tmp_path: Path, trouble: Any, what: str
) -> None:
    dataset = small_shop()
    split = LeaveLastOut().divide(dataset)
    options = TrainingOptions(epochs=4, batch=8, patience=4)

    def run(last: int) -> Recommender:
        monkeypatch.setattr(Troubled, "last", last)
        monkeypatch.setattr(Troubled, "trouble", trouble)
        monkeypatch.setattr(Troubled, "losses", 0)
        recommender = Recommender(troubled(width=8, blocks=1, length=12), seed=3)
        fit(recommender, dataset, split, options, checkpoint=tmp_path)
        return recommender

    with pytest.raises(TrainingError, match=rf"The {what} is not a number at epoch 3, step 2: lower training.learning_rate, which is 0.002") as told:
        run(2 * STEPS + 1)
    said = rf"The state after epoch 2 is kept in {tmp_path}: the same command with --resume --set training.learning_rate=0.0002 goes on from there."
    assert str(told.value).endswith(said)
    assert json.loads((tmp_path / "progress.json").read_text())["epoch"] == 2
    resumed, whole = run(10**9), Recommender(SASRec(width=8, blocks=1, length=12), seed=3)
    fit(whole, dataset, split, options)
    assert all(torch.equal(tensor, resumed.model.state()[name]) for name, tensor in whole.model.state().items())


@pytest.mark.parametrize(
    ("tuning", "rate", "awake", "lower", "change"),
    [
        ("top:1", 2e-3, True, "training.learning_rate.rest, which is 0.002, and .text, that of the language model, which is 1e-05", (2e-4, 1e-6)),
        (
            "lora",
            {"text": 1e-3},
            True,
            "training.learning_rate.rest, which is 0.002, and .text, that of the language model, which is 0.001",
            (2e-4, 1e-4),
        ),
        ("lora", 2e-3, True, "training.learning_rate.rest, which is 0.002, and .text, that of the language model, which is 0.0005", (2e-4, 5e-5)),
        ("top:1", 2e-3, False, "training.learning_rate, which is 0.002", 2e-4),
        ("top:1", {"text": 1e-3}, False, "training.learning_rate.rest, which is 0.002", {"rest": 2e-4, "text": 1e-3}),
    ],
)
def test_a_language_model_that_learns_may_be_what_diverged(tiny_bert: Path, tuning: str, rate: Any, awake: bool, lower: str, change: Any) -> None:
    model, options = ContextTransformer(), TrainingOptions(learning_rate=rate)
    model.learning = PretrainedText(model=str(tiny_bert), tuning=tuning, frozen_epochs=1).learning(["rain"])
    model.learning.begin(1 if awake else 0)
    stop = NotANumber("loss", "epoch 2, step 1", model, options)
    assert str(stop) == f"The loss is not a number at epoch 2, step 1: lower {lower}, or look for huge values in the data."
    sets = shlex.split(stop.change)
    sections: dict[str, Any] = {"training": {"learning_rate": rate}}
    apply(sections, sets[1])
    said = TrainingOptions(**sections["training"])
    expected = dict(zip(("rest", "text"), change)) if isinstance(change, tuple) else change
    assert sets[0] == "--set" and len(sets) == 2 and said.learning_rate == pytest.approx(expected)


def test_nothing_whole_is_to_be_begun_anew(troubled: type[Troubled], monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(Troubled, "last", 1)
    monkeypatch.setattr(Troubled, "trouble", not_a_number)
    dataset = small_shop()
    for checkpoint, said in ((tmp_path, "No epoch was whole yet, so nothing is kept: begin anew."), (None, "or look for huge values in the data.")):
        monkeypatch.setattr(Troubled, "losses", 0)
        with pytest.raises(TrainingError) as told:
            fit(
                Recommender(troubled(width=8, blocks=1)),
                dataset,
                NoSplit().divide(dataset),
                TrainingOptions(epochs=1, batch=8),
                checkpoint=checkpoint,
            )
        assert str(told.value).endswith(said)


@pytest.mark.parametrize("trouble", [out_of_memory, of_a_gpu, of_onednn])
def test_too_little_memory_names_three_options(troubled: type[Troubled], monkeypatch: pytest.MonkeyPatch, tmp_path: Path, trouble: Any) -> None:
    monkeypatch.setattr(Troubled, "last", STEPS + 1)
    monkeypatch.setattr(Troubled, "trouble", trouble)
    dataset = small_shop()
    options = TrainingOptions(epochs=2, batch=8, loss="sampled_softmax", negatives=64)
    with pytest.raises(TrainingError) as told:
        fit(Recommender(troubled(width=8, blocks=1, length=12)), dataset, NoSplit().divide(dataset), options, checkpoint=tmp_path)
    assert str(told.value) == (
        "Memory ran out in training; three options help: training.batch = 4 with training.accumulate = 2, which learns the same from half at a time; "
        "training.negatives below 64; training.checkpointing = true or a smaller model.width. "
        f"The state after epoch 1 is kept in {tmp_path}: the same command with --resume --set training.batch=4 --set training.accumulate=2 "
        "goes on from there."
    )


def test_what_helps_is_what_the_model_has() -> None:
    def said(model: Learned, **options: Any) -> str:
        training = TrainingOptions(**options)
        model.objective = training.objective(model)
        return str(OutOfMemory(model, training, 1))

    assert 'training.loss = "sampled_softmax"; a smaller model.width' in said(SASRec(), checkpointing=True)
    assert "training.batch = 1" in said(SASRec())
    assert "; a smaller training.batch still; " in said(BiasedMF())


def test_other_trouble_is_not_taken_for_it() -> None:
    assert not is_out_of_memory(ValueError("not enough memory of what was said"))
    with pytest.raises(RuntimeError) as told:
        torch.empty(10**15)
    assert is_out_of_memory(told.value)


def test_the_command_line_says_it_in_a_sentence(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    def short(*given: object, **named: object) -> None:
        torch.empty(10**15)

    monkeypatch.setattr("germane.jobs.run.evaluate_run", short)
    assert _run(["evaluate", "runs/none"]) == 2
    assert capsys.readouterr().err.startswith("This needs more memory than there is: make training.batch")


CONFIG = """
[data]
events = "events.csv"
[data.columns]
user = "user"
item = "item"
time = "time"
[model]
use = "SASRec"
width = 8
blocks = 1
[training]
epochs = 3
batch = 8
learning_rate = 0.01
"""


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    dataset = small_shop()
    users, items = dataset.users["id"].gather(dataset.events["user"]), dataset.items["id"].gather(dataset.events["item"])
    dataset.events.select("time").with_columns(user=users, item=items).select(pl.all()).write_csv(tmp_path / "events.csv")
    (tmp_path / "shop.toml").write_text(CONFIG)
    return tmp_path


class Killed(Exception):
    pass


def killed_in(epoch: int) -> Any:
    def progress(told: Any) -> None:
        if told.epoch == epoch:
            raise Killed

    return progress


def test_a_run_goes_on_with_shorter_steps_and_says_so(shop: Path) -> None:
    with pytest.raises(Killed):
        train_run(shop / "shop.toml", shop / "run", progress=killed_in(2))
    with pytest.raises(RunError, match=r"was begun with another config .*: resuming needs the same, but for training.learning_rate, .*text.fresh"):
        train_run(shop / "shop.toml", shop / "run", resume=True, sets=["model.width=16"])
    with pytest.raises(Killed):
        train_run(
            shop / "shop.toml", shop / "run", resume=True, sets=["training.learning_rate=0.001", "training.accumulate=2"], progress=killed_in(3)
        )
    assert [note.detail for note in changes(shop / "run.partial")] == [
        "from epoch 2 on: training.learning_rate = 0.001 (before: 0.01), training.accumulate = 2 (before: its default)"
    ]
    run, _ = train_run(shop / "shop.toml", shop / "run", resume=True, sets=["training.learning_rate=0.001", "training.accumulate=2"])
    about = json.loads((run / "about.json").read_text())
    assert [note["detail"] for note in about["notes"] if note["code"] == "resumed"] == [
        "from epoch 2 on: training.learning_rate = 0.001 (before: 0.01), training.accumulate = 2 (before: its default)"
    ]
    assert len(about["curve"]) == 3


SCHEDULES: list[dict[str, Any]] = [
    {"schedule": "constant"},
    {"schedule": "linear", "warmup": 0.2},
    {"schedule": "cosine", "optimiser": "sgd", "learning_rate": 0.1},
    {"schedule": "inverse_sqrt", "optimiser": "adafactor", "learning_rate": 0.05},
    {"schedule": "plateau", "plateau_patience": 1, "plateau_factor": 0.1, "optimiser": "adam"},
]
MEANS: list[dict[str, Any]] = [{}, {"average": 0.9}, {"swa": 0.4}]


@pytest.mark.parametrize("mean", MEANS, ids=["no mean", "running mean", "epoch mean"])
@pytest.mark.parametrize("schedule", SCHEDULES, ids=[said["schedule"] for said in SCHEDULES])
def test_kill_and_resume_is_no_kill(tmp_path: Path, schedule: dict[str, Any], mean: dict[str, Any]) -> None:
    dataset = small_shop()
    split = LeaveLastOut().divide(dataset)
    options = TrainingOptions(**{"epochs": 5, "patience": 5, "batch": 20, "warmup": 2, "accumulate": 2, **schedule, **mean})

    def run(checkpoint: Path, progress: Any = None) -> tuple[dict[str, Tensor], list[dict[str, float]]]:
        recommender = Recommender(SASRec(width=4, blocks=1, length=12), seed=3)
        told = fit(recommender, dataset, split, options, checkpoint=checkpoint, progress=progress)
        return recommender.model.state(), told["curve"]

    whole, curve = run(tmp_path / "a")
    for epoch in (2, 4):
        with pytest.raises(Killed):
            run(tmp_path / "b", killed_in(epoch))
    resumed, again = run(tmp_path / "b")
    assert again == curve
    assert all(torch.equal(whole[name], resumed[name]) for name in whole)


def test_stopped_is_an_error_of_training() -> None:
    assert issubclass(Stopped, TrainingError) and Stopped("x", "--set a.b=1").exit_code == 2
