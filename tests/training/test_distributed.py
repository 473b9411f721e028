"""Two processes on one machine: what they add up, that they equal one, and that they end together."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import polars as pl
import pytest
import torch
from accelerate import PartialState
from safetensors.torch import load_file
from torch import nn

import germane
from germane.errors import TrainingError
from germane.jobs.auto import auto
from germane.jobs.pretrain import pretrain
from germane.jobs.run import train_run
from germane.jobs.search import search
from germane.jobs.soup import soup
from germane.testing.model_contract import small_shop
from germane.training import Processes

CONFIG = """
[data]
events = "events.csv"
items = "items.csv"
[data.columns]
user = "user"
item = "item"
time = "time"
context = ["weather"]
text = ["title"]
[text]
model = "language"
tuning = "lora"
fresh = 5
[model]
width = 8
blocks = 1
dropout = 0.0
context_dropout = 0.0
words = false
[training]
epochs = 1
batch = 7
accumulate = 2
warmup = 3
loss = "sampled_softmax"
negatives = 8
[evaluation]
baselines = ["Popular"]
variants = []
"""
TORCHRUN = ["torch.distributed.run", "--nproc-per-node", "2", "--master-port"]
ACCELERATE = ["accelerate.commands.launch", "--multi_gpu", "--num_processes", "2", "--main_process_port"]
ALONE = ["TORCHELASTIC_RUN_ID", "LOCAL_RANK", "RANK", "WORLD_SIZE", "MASTER_ADDR", "MASTER_PORT"]


@pytest.fixture
def shop(tmp_path: Path, tiny_bert: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    shutil.copytree(tiny_bert, tmp_path / "language")
    config = tmp_path / "language" / "config.json"
    still = {"hidden_dropout_prob": 0.0, "attention_probs_dropout_prob": 0.0}  # two processes draw otherwise than one
    config.write_text(json.dumps(json.loads(config.read_text()) | still))
    monkeypatch.setenv("GERMANE_CACHE", str(tmp_path / "cache"))
    dataset = small_shop()
    users, items = dataset.users["id"].gather(dataset.events["user"]), dataset.items["id"].gather(dataset.events["item"])
    events = dataset.events.select("time", pl.col("context:weather").alias("weather")).with_columns(user=users, item=items)
    events.write_csv(tmp_path / "events.csv")
    dataset.items.rename({"id": "item"}).write_csv(tmp_path / "items.csv")
    (tmp_path / "shop.toml").write_text(CONFIG)
    return tmp_path


def environment(**more: str) -> dict[str, str]:
    import_path = {"PYTHONPATH": os.pathsep.join(path for path in sys.path if path), "OMP_NUM_THREADS": "1"}
    return {name: value for name, value in os.environ.items() if name not in ALONE} | import_path | more


def free_port() -> str:
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        return str(held.getsockname()[1])


@pytest.mark.parametrize(
    ("launcher", "sharded", "more"),
    [(TORCHRUN, "false", []), (ACCELERATE, "false", []), (TORCHRUN, "true", []), (TORCHRUN, "true", ["text.layers=1"])],
    ids=["whole", "whole, by accelerate launch", "in parts", "in parts, top layer alone"],
)
def test_two_processes_equal_one(shop: Path, launcher: list[str], sharded: str, more: list[str]) -> None:
    """Negatives, dropped identities, a language model that learns, baselines and all; the terminal hears one of them."""
    rows = train_run(shop / "shop.toml", shop / "one", sets=more)[1].rows
    told = subprocess.run(
        [
            *(sys.executable, "-m", *launcher, free_port(), "-m", "germane"),
            "train",
            "shop.toml",
            "-o",
            "two",
            "--json",
            *(part for said in (f"training.sharded={sharded}", *more) for part in ("--set", said)),
        ],
        cwd=shop,
        env=environment(),
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert told.returncode == 0, told.stderr
    for one, two in zip(rows, json.loads(told.stdout)["rows"], strict=True):  # a single JSON
        assert two["name"] == one["name"]
        assert two["metrics"]["ndcg@10"]["value"] == pytest.approx(one["metrics"]["ndcg@10"]["value"], abs=1e-4)
    for file in ("model.safetensors", "text.safetensors"):
        one, two = (load_file(shop / name / file) for name in ("one", "two"))
        for name, tensor in one.items():
            torch.testing.assert_close(two[name], tensor, rtol=0, atol=1e-4, msg=name)
    scores = []
    for name in ("one", "two"):
        recommender = germane.load(shop / name)
        with torch.inference_mode():
            scores.append(recommender.model.score(recommender.batch([germane.Query(user=f"u{n}") for n in range(20)])))
    torch.testing.assert_close(*scores, rtol=0, atol=1e-4)
    alone, both = (json.loads((shop / name / "about.json").read_text()) for name in ("one", "two"))
    assert both["curve"][0] == pytest.approx(alone["curve"][0], abs=1e-4)
    assert [(about["processes"], about["device"], about["precision"]) for about in (alone, both)] == [(1, "cpu", "float32"), (2, "cpu", "float32")]
    assert alone["peak_mb"] == alone["peak_mb_of_one"] and both["peak_mb"] > 1.5 * both["peak_mb_of_one"]
    assert not (shop / "two.partial").exists()


TOGETHER = """
import os, sys
from pathlib import Path
import torch
from torch import nn
from germane.data import LeaveLastOut
from germane.errors import TrainingError
from germane.jobs.train import fit
from germane.models import BiasedMF
from germane.recommender import Recommender
from germane.testing.model_contract import small_shop
from germane.training import Processes, TrainingOptions

here = Processes.joined("cpu")
assert (here.count, here.number) == (2, int(os.environ["RANK"])) and here.first == (here.number == 0)
assert here.total([1.0, here.number]) == [2.0, 1.0] and here.each(10.0 + here.number) == [10.0, 11.0]
assert here.from_first(5.0 if here.first else 7.0) == 5.0

weights = [nn.Parameter(torch.full((2,), float(here.number))) for _ in range(3)]
here.alike(weights)
assert all(weight.tolist() == [0.0, 0.0] for weight in weights)
weights[0].grad = torch.tensor([1.0, 2.0 + here.number])
weights[1].grad = None if here.first else torch.ones(2)  # a part that only one process used
here.add_up(weights)
assert weights[0].grad.tolist() == [2.0, 5.0] and weights[1].grad.tolist() == [1.0, 1.0] and weights[2].grad is None

table = nn.Embedding(100, 2, sparse=True)
table(torch.tensor([[4, 9, 9], [4]][here.number])).sum().backward()
here.add_up(table.parameters())
summed = table.weight.grad.coalesce()
assert summed.indices().tolist() == [[4, 9]] and summed.values().tolist() == [[2.0, 2.0], [2.0, 2.0]]
table.weight.grad = None
if here.first:
    table(torch.tensor([7])).sum().backward()
here.add_up(table.parameters())
assert table.weight.grad.is_sparse and table.weight.grad.coalesce().indices().tolist() == [[7]]

data, split = small_shop(), LeaveLastOut().divide(small_shop())
def trained(epochs, kept=None):
    recommender = Recommender(BiasedMF(width=4))
    fit(recommender, data, split, TrainingOptions(heads={"rating": 1.0}, epochs=epochs, batch=50), checkpoint=kept)
    return recommender.model.state()
from germane.encoders import HashedText
from germane.models import ContextTransformer
from germane.training.sharding import Rows, shard, whole as all_of

def parted(epochs, kept=None, sharded=True):
    recommender = Recommender(ContextTransformer(width=8, blocks=1, length=6, dropout=0.0, context_dropout=0.0), text=HashedText(width=8))
    said = dict(epochs=epochs, batch=8, loss="sampled_softmax", negatives=8, clip=0.05, sharded=sharded, average=0.5, patience=9)
    fit(recommender, data, split, TrainingOptions(**said), checkpoint=kept)
    return recommender.model.state()
plain, parts = parted(3, sharded=False), parted(3)
assert all(torch.allclose(plain[name], parts[name], atol=1e-4) for name in plain)
parted(1, Path(sys.argv[1]) / "parts")
resumed = parted(3, Path(sys.argv[1]) / "parts")
assert all(torch.equal(tensor, resumed[name]) for name, tensor in parts.items())

model = Recommender(ContextTransformer(width=8, blocks=1), text=HashedText(width=8))
model.prepare(data)
model = model.model
table = model.items.identity.weight.detach().clone()
here.alike([table])
model.items.identity.weight.data.copy_(table)
shard(model, here)
assert isinstance(model.items.identity, Rows) and len(model.items.identity.weight) == 12
with all_of(model):
    assert torch.equal(model.items.identity.weight, table)
asked = torch.tensor([[3, 4, 3], [7, 7, 2]][here.number])
read = model.items.identity(asked)
assert torch.equal(read, table[asked])
(read * (1 + here.number)).sum().backward()
counted = torch.zeros(24).index_add_(0, torch.tensor([3, 4, 3, 7, 7, 2]), torch.tensor([1.0, 1, 1, 2, 2, 2]))
assert torch.equal(model.items.identity.weight.grad, counted[here.number :: 2, None].expand(-1, 8))

from transformers import BertConfig, BertModel
from germane.training.sharding import shard_frozen
torch.manual_seed(0)
body = BertModel(BertConfig(vocab_size=64, hidden_size=16, num_hidden_layers=2, num_attention_heads=2, intermediate_size=32)).eval()
learns = list(body.requires_grad_(False).encoder.layer[1].parameters())
for weight in learns:
    weight.requires_grad_()
def read():
    for weight in learns:
        weight.grad = None
    states = body(torch.arange(12).view(2, 6)).last_hidden_state
    states.square().sum().backward()
    return states.detach(), [weight.grad.clone() for weight in learns]
states, gradients = read()
held = sum(weight.numel() for weight in body.parameters())
shard_frozen(body, learns, here)
here_held = sum(getattr(weight, "to_local", lambda: weight)().numel() for weight in body.parameters())
assert here_held < 0.75 * held, (here_held, held)
again, same = read()
assert torch.allclose(states, again, atol=1e-6) and all(torch.allclose(a, b, atol=1e-5) for a, b in zip(gradients, same))

whole, kept = trained(2), Path(sys.argv[1]) / "kept"
trained(1, kept)
resumed = trained(2, kept)
assert all(torch.equal(tensor, resumed[name]) for name, tensor in whole.items())
print("whole", flush=True)
if here.first:
    here.wait()
    try:
        here.wait()
    except TrainingError as error:
        sys.exit(str(error))
here.wait()
os._exit(3)  # as if killed
"""


def test_they_add_up_resume_and_end_together(tmp_path: Path) -> None:
    script = tmp_path / "together.py"
    script.write_text(TOGETHER)
    meeting = {"WORLD_SIZE": "2", "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": free_port()}
    started = [
        subprocess.Popen(
            [sys.executable, script, tmp_path / "kept"],
            env=environment(RANK=rank, LOCAL_RANK=rank, **meeting),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for rank in ("0", "1")
    ]
    told = [process.communicate(timeout=120) for process in started]
    assert [out for out, _ in told] == ["whole\n"] * 2, told
    assert [process.returncode for process in started] == [1, 3]
    assert "another process of this training has ended, so this one ends too; what that one said tells why (" in told[0][1]


LEFT = """
import weakref
import torch
import torch.distributed as group
from germane.training import Processes

group.init_process_group("gloo", store=group.HashStore(), rank=0, world_size=1)
of_all = weakref.ref(group.group.WORLD)
weight = torch.nn.Parameter(torch.ones(2))
torch.optim.AdamW([weight])  # imports more of torch
group.destroy_process_group()
print(of_all() is None)
"""


def test_a_group_ends_when_it_is_left() -> None:
    """A thread of one that is still there as Python ends would abort it, if it let go of a tensor then."""
    told = subprocess.run([sys.executable, "-c", LEFT], env=environment(), capture_output=True, text=True, timeout=120)
    assert told.stdout == "True\n", told.stderr


def test_alone_nothing_is_sent() -> None:
    alone = Processes.joined()
    assert alone == Processes() and alone.first and alone.device is None
    weight = nn.Parameter(torch.ones(2))
    weight.grad = torch.ones(2)
    alone.add_up([weight])
    alone.alike([weight])
    alone.wait()
    with alone.first_ahead():
        assert alone.each(3.0) == [3.0] and alone.from_first(4.0) == 4.0
    assert weight.grad.tolist() == [1.0, 1.0]


@pytest.mark.parametrize(
    ("command", "asked"),
    [
        ("pretrain", lambda place: pretrain(place, place / "out")),
        ("search", lambda place: search(place, place / "out")),
        ("auto", lambda place: auto(str(place), run=place / "out")),
        ("soup", lambda place: soup([place, place], place / "out")),
    ],
)
def test_what_one_does_whole_is_refused_to_several(
    command: str, asked: Callable[[Path], object], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WORLD_SIZE", "2")
    with pytest.raises(TrainingError, match=f"^germane {command} works in one process, and 2 were started together: .* with WORLD_SIZE unset"):
        asked(tmp_path / "none")  # nothing of it is read
    assert not list(tmp_path.iterdir())


def test_who_cannot_meet_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ALONE:
        monkeypatch.delenv(name, raising=False)
    PartialState._reset_state()  # of a training in this very process
    monkeypatch.setenv("WORLD_SIZE", "2")
    before = dict(os.environ)
    with pytest.raises(TrainingError, match=r"^2 processes were to train together and could not meet \(.*torchrun.* or unset WORLD_SIZE"):
        Processes.joined("cpu")
    assert dict(os.environ) == before and not PartialState._shared_state  # of what began and went no further nothing is left
