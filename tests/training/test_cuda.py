"""What only a GPU shows. Passed over where there is none; the models' contracts and the training tests run there too, on the GPU."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import polars as pl
import pytest
import torch

import germane
from germane import Query
from germane.data import LeaveLastOut
from germane.encoders import HashedText, PretrainedText
from germane.jobs.run import train_run
from germane.jobs.train import fit
from germane.models import BiasedMF, ContextTransformer, Model
from germane.recommender import Recommender
from germane.testing.model_contract import small_shop
from germane.training import Progress, TrainingOptions, chosen_precision

pytestmark = pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no GPU")

SMALL: dict[str, Any] = {"width": 16, "blocks": 1, "length": 10, "text_width": 8}
STILL: dict[str, Any] = {"dropout": 0.0, "identity_dropout": 0.0, "context_dropout": 0.0}
"""Nothing is drawn while it learns: two devices draw otherwise."""


def learnt(model: Model, *, text: Any = None, progress: Progress | None = None, checkpoint: Path | None = None, **said: Any) -> Recommender:
    options = TrainingOptions(**{"epochs": 2, "batch": 16, "warmup": 2, "device": "cuda", **said})
    recommender = Recommender(model, text=text or HashedText(width=32), seed=0)
    fit(recommender, small_shop(), LeaveLastOut().divide(small_shop()), options, progress=progress, checkpoint=checkpoint)
    recommender.remember(small_shop())
    return recommender


def scores(recommender: Recommender) -> torch.Tensor:
    queries = recommender.batch([Query(user="u0"), Query(user="u1", context={"weather": "rain"}, words="umbrella"), Query(history=("i3", "i5"))])
    with torch.inference_mode():
        return recommender.model.score(queries)


@pytest.mark.parametrize("loss", ["softmax", "mse"])
def test_it_learns_what_a_cpu_learns_and_answers_on_the_cpu(loss: str) -> None:
    on_gpu, on_cpu = (learnt(ContextTransformer(**SMALL, **STILL), loss=loss, device=device) for device in ("cuda", "cpu"))
    assert on_gpu.model.device.type == "cpu"
    torch.testing.assert_close(scores(on_gpu), scores(on_cpu), atol=2e-3, rtol=2e-3)


@pytest.mark.parametrize(
    "said",
    [
        {"loss": "sampled_softmax", "negatives": 8, "sparse": True, "rowwise": True},
        {"loss": "bpr", "negatives": 8, "accumulate": 3, "average": 0.9},
        {"loss": "gbce", "negatives": 8, "optimiser": "sgd", "learning_rate": 0.1, "swa": 0.5},
        {"optimiser": "adafactor", "schedule": "plateau", "checkpointing": True},
        {"heads": {"ranking": 1.0, "click": 0.5, "rating": 0.5}, "refit": True},
        {"augment": {"crop": 0.5, "mask": 0.5, "reorder": 0.5, "insert": 0.5}},
        {"adversarial": {"kind": "pgd", "size": 0.5}},
        {"adversarial": {"kind": "awp", "size": 0.01}},
        {"precision": "fp16", "contrast": {"weight": 0.5}},
        {"precision": "bf16", "contrast": {"weight": 0.5}},
        {"precision": "fp16", "loss": "sampled_softmax", "negatives": 8, "sparse": True},
    ],
    ids=str,
)
def test_every_way_of_learning_runs_there(said: dict[str, Any]) -> None:
    told: list[Any] = []
    recommender = learnt(ContextTransformer(**SMALL), progress=told.append, **said)
    assert torch.isfinite(scores(recommender)).all()
    ended = [one for one in told if one.ended]
    assert len(ended) >= 2 and all(one.figure is not None for one in ended[:2])


@pytest.mark.parametrize("precision", ["bf16", "fp16", "auto"])
def test_half_precision_learns_nearly_the_same(precision: Any) -> None:
    assert chosen_precision("auto", torch.device("cuda")) in ("bf16", "fp16")
    curves = []
    for name in ("float32", precision):
        told: list[Any] = []
        learnt(ContextTransformer(**SMALL, **STILL), precision=name, progress=told.append)
        curves.append([one.loss for one in told if one.ended])
    assert curves[1] == pytest.approx(curves[0], rel=0.02) and curves[1] != curves[0]


@pytest.mark.parametrize("tuning", ["top:1", "full", "lora", "adapter", "prefix"])
def test_a_language_model_learns_there(tiny_model: Path, tuning: str, tmp_path: Path) -> None:
    text = PretrainedText(model=str(tiny_model), tuning=tuning, rank=2)
    rates = {"text": 1e-2, "rest": 1e-2}
    recommender = learnt(ContextTransformer(**SMALL), text=text, learning_rate=rates, precision="auto", checkpointing=True, refit=True)
    frozen = PretrainedText(model=str(tiny_model))
    assert not torch.allclose(recommender.text.encode(["umbrella boots"]), frozen.encode(["umbrella boots"]), atol=1e-6)
    before = scores(recommender)
    torch.testing.assert_close(scores(germane.load(germane.save(recommender, tmp_path / "run"))), before, atol=1e-4, rtol=0)


def test_stopped_and_resumed_there_it_ends_the_same(tmp_path: Path) -> None:
    whole = learnt(ContextTransformer(**SMALL), epochs=3, average=0.9)

    class Killed(Exception):
        pass

    def kill(told: Any) -> None:
        if told.epoch == 2 and told.step == 2:
            raise Killed

    with pytest.raises(Killed):
        learnt(ContextTransformer(**SMALL), epochs=3, average=0.9, progress=kill, checkpoint=tmp_path)
    resumed = learnt(ContextTransformer(**SMALL), epochs=3, average=0.9, checkpoint=tmp_path)
    torch.testing.assert_close(scores(resumed), scores(whole), atol=1e-4, rtol=1e-4)


def test_about_says_the_gpu_and_its_memory(tmp_path: Path) -> None:
    dataset = small_shop()
    users, items = dataset.users["id"].gather(dataset.events["user"]), dataset.items["id"].gather(dataset.events["item"])
    dataset.events.select("time", pl.col("context:weather").alias("weather")).with_columns(user=users, item=items).write_csv(tmp_path / "events.csv")
    (tmp_path / "shop.toml").write_text(
        '[data]\nevents = "events.csv"\n[data.columns]\nuser = "user"\nitem = "item"\ntime = "time"\ncontext = ["weather"]\n'
        '[model]\nwidth = 8\nblocks = 1\n[training]\nepochs = 1\nprecision = "auto"\n[evaluation]\nbaselines = ["Popular"]\nvariants = []\n'
    )
    train_run(tmp_path / "shop.toml", tmp_path / "run")
    about = json.loads((tmp_path / "run" / "about.json").read_text())
    assert about["device"] == "cuda" and about["precision"] in ("bf16", "fp16") and 0 < about["peak_gpu_mb"] < 10_000


TOGETHER = """
import torch
import torch.distributed as group
from torch import nn
from germane.training import Processes
from accelerate import PartialState

state = PartialState(timeout=__import__("datetime").timedelta(minutes=5))
assert group.is_initialized() and group.get_backend() == "nccl" and state.device.type == "cuda", (group.get_backend(), state.device)
here = Processes(0, 2, state.device)  # two that are one: all that is sent is of kinds that NCCL knows
assert here.total([1.0, 2.0]) == [1.0, 2.0] and here.from_first(5.0) == 5.0
weights = [nn.Parameter(torch.ones(n, device="cuda", dtype=kind)) for n, kind in ((2, torch.float32), (3, torch.float64), (1, torch.float32))]
here.alike(weights)
weights[0].grad, weights[1].grad = torch.ones(2, device="cuda"), torch.ones(3, device="cuda", dtype=torch.float64)
here.add_up(weights)
assert weights[0].grad.tolist() == [1.0, 1.0] and weights[2].grad is None
table = nn.Embedding(100, 2, sparse=True).cuda()
table(torch.tensor([4, 9, 9], device="cuda")).sum().backward()
here.add_up(table.parameters())
assert table.weight.grad.coalesce().indices().tolist() == [[4, 9]] and table.weight.grad.coalesce().values()[1].tolist() == [2.0, 2.0]
print("whole")
"""


def test_what_processes_send_nccl_can_send(tmp_path: Path) -> None:
    script = tmp_path / "together.py"
    script.write_text(TOGETHER)
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        port = str(held.getsockname()[1])
    meeting = {"WORLD_SIZE": "1", "RANK": "0", "LOCAL_RANK": "0", "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port}
    paths = {"PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}
    told = subprocess.run([sys.executable, script], env={**os.environ, **paths, **meeting}, capture_output=True, text=True, timeout=240)
    assert told.stdout.strip().endswith("whole"), told.stderr


def test_rows_learn_there_too() -> None:
    on_gpu, on_cpu = (learnt(BiasedMF(width=4), loss="mse", batch=64, device=device) for device in ("cuda", "cpu"))
    torch.testing.assert_close(scores(on_gpu), scores(on_cpu), atol=2e-3, rtol=2e-3)
