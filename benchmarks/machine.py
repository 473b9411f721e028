"""Fitting into the machine: what each means saves of a training step, and what it costs.

    python benchmarks/machine.py            # some minutes on two cores
    python benchmarks/machine.py --quick    # a rehearsal with few rounds

A step of the language model: all-MiniLM-L6-v2, 32 texts of 32 tokens, AdamW. A step of the flagship: ``ContextTransformer`` of width 64 with two
blocks, 32 stretches of 100 events, 1,024 shared negatives among 20,000 items; "large": 500,000 items, stretches of 20, one block. Every plan stands
beside the plain step in the same process, rounds of the two taken in turn, and its figures are divided by the plain step's: time is the median of the
rounds; activations are what the way forward keeps for the way back, each storage once, weights left out; "state" is the numbers that the optimiser
remembers. Where the CPU has no units for bf16, that plan has no row.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Any

from _claims import Wanted
from _harness import Benchmark
from _plans import Plan, Row, measured

if TYPE_CHECKING:
    from germane.training.precision import PrecisionName

TEXTS, TOKENS, ROUNDS = 32, 32, 7


def activations(model: Any, forward: Callable[[], Any]) -> float:
    """MB that the way forward keeps."""
    import torch

    own = {tensor.untyped_storage().data_ptr() for tensor in (*model.parameters(), *model.buffers())}
    kept: dict[int, Any] = {}  # held, so that no storage is used again meanwhile

    def keep(tensor: Any) -> Any:
        kept.setdefault(tensor.untyped_storage().data_ptr(), tensor)
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        forward()
    return sum(tensor.untyped_storage().nbytes() for place, tensor in kept.items() if place not in own) / 1e6


class Side:
    """One of the two that are compared: a way forward, and a whole step."""

    def __init__(self, model: Any, forward: Callable[[], Any], step: Callable[[], object], rules: Any) -> None:
        self.model, self.forward, self.step, self.rules = model, forward, step, rules

    def state(self) -> int:
        return sum(part.numel() for rule in self.rules for state in rule.state.values() for name, part in state.items() if name != "step")


def compared(name: str, plain: Side, other: Side, rounds: int) -> list[Row]:
    seconds: dict[Side, list[float]] = {plain: [], other: []}
    for turn in range(rounds + 1):
        for side in (plain, other):
            begin = time.perf_counter()
            side.step()
            if turn:
                seconds[side].append(time.perf_counter() - begin)
    held = [activations(side.model, side.forward) for side in (plain, other)]
    figures = {
        "time": median(seconds[other]) / median(seconds[plain]),
        "activations": held[1] / held[0],
        "state": other.state() / max(1, plain.state()),
        "ms, plain": 1000 * median(seconds[plain]),
        "MB of activations, plain": held[0],
    }
    return [measured(name, figures)]


def text_side(tuning: str, checkpointing: bool = False, precision: PrecisionName = "float32") -> Side:
    import torch

    from germane.encoders.adaptation import Adaptation, adapt
    from germane.encoders.language_model import LanguageModel
    from germane.encoders.weights import get_weights
    from germane.training.precision import Precision

    half = Precision(precision, torch.device("cpu"))
    torch.manual_seed(0)
    model = LanguageModel(get_weights("all-MiniLM-L6-v2"), "mean", TOKENS)
    learns = list(adapt(model, Adaptation(tuning)).values())
    model.train()
    model.checkpointing(checkpointing)
    ids = torch.randint(1000, 20_000, (TEXTS, TOKENS))
    tokens = {"input_ids": ids, "attention_mask": torch.ones_like(ids)}
    towards = torch.randn(TEXTS, model.body.config.hidden_size)
    rules = [torch.optim.AdamW(learns, lr=1e-5)] if learns else []

    def forward() -> Any:
        with half.autocast():
            return (model(tokens) * towards).sum()

    def step() -> None:
        loss = forward()
        if learns:
            rules[0].zero_grad()
            loss.backward()
            rules[0].step()

    return Side(model, forward, step, rules)


def of_text(tuning: str, **how: Any) -> Callable[[int, Path, bool], list[Row]]:
    def measure(seed: int, folder: Path, quick: bool) -> list[Row]:
        return where_it_can("all-MiniLM-L6-v2", lambda: text_side("full"), lambda: text_side(tuning, **how), quick)

    return measure


def where_it_can(name: str, plain: Callable[[], Side], other: Callable[[], Side], quick: bool) -> list[Row]:
    from germane.errors import TrainingError

    try:
        return compared(name, plain(), other(), 2 if quick else ROUNDS)
    except TrainingError as error:  # no units for half precision here
        print(error)
        return []


def flagship_side(items: int, length: int, blocks: int, training: Mapping[str, Any]) -> Side:
    import numpy as np
    import torch

    from germane.batches import Timelines
    from germane.data import Dataset
    from germane.models import ContextTransformer
    from germane.recommender import Recommender
    from germane.training import TrainingOptions
    from germane.training.optimisers import optimisers_of
    from germane.training.recompute import recompute
    from germane.training.step import Stepper

    rng, users = np.random.default_rng(0), 32
    events = {"user": np.repeat(np.arange(users), length), "item": rng.integers(0, items, users * length), "time": np.arange(users * length) * 3600.0}
    dataset = Dataset.from_frames(events, {"item": np.arange(items)}, columns={"time": "time"})
    options = TrainingOptions(loss="sampled_softmax", **training)
    model = ContextTransformer(width=64, blocks=blocks, length=length)
    model.objective = options.objective(model)
    torch.manual_seed(0)
    recommender = Recommender(model)
    recommender.prepare(dataset)
    recommender.content.known[:] = True  # that all are drawn from
    model.items.known[:] = True
    model.warm(dataset, recommender.content)
    recompute(model, options.checkpointing)
    model.train()
    rules = optimisers_of(model, options, dataset.n_items, dataset.n_users)
    stepper = Stepper(model, rules, options, torch.device("cpu"))
    batch = next(iter(Timelines(recommender.table(dataset), length, users).draw(None)))

    def forward() -> Any:
        with stepper.precision.autocast():
            return model.loss(batch, model.objective)["ranking"]

    return Side(model, forward, lambda: stepper([batch], 1e-3, "the benchmark"), rules)


def of_flagship(large: bool = False, **training: Any) -> Callable[[int, Path, bool], list[Row]]:
    def measure(seed: int, folder: Path, quick: bool) -> list[Row]:
        size = (20_000 if quick else 500_000, 20, 1) if large else (20_000, 100, 2)
        return where_it_can("ContextTransformer", lambda: flagship_side(*size, {}), lambda: flagship_side(*size, training), quick)

    return measure


FULL_AGAIN, FULL_HALF = "all of the language model, checkpointing", "all of the language model, bf16"
AGAIN, HALF = "flagship, checkpointing", "flagship, bf16"
SPARSE, ROWWISE, BOTH = "flagship, large, sparse", "flagship, large, rowwise", "flagship, large, sparse and rowwise"
TUNINGS = ("frozen", "top:2", "lora", "adapter", "prefix")

BENCHMARK = Benchmark(
    __file__,
    "Fitting into the machine",
    plans=[
        Plan(FULL_AGAIN, measure=of_text("full", checkpointing=True), seeds=(0,)),
        Plan(FULL_HALF, measure=of_text("full", precision="bf16"), seeds=(0,)),
        *(Plan(f"language model, {tuning}", measure=of_text(tuning), seeds=(0,), rehearsed=tuning == "lora") for tuning in TUNINGS),
        Plan(AGAIN, measure=of_flagship(checkpointing=True), seeds=(0,)),
        Plan(HALF, measure=of_flagship(precision="bf16"), seeds=(0,)),
        Plan(SPARSE, measure=of_flagship(large=True, sparse=True), seeds=(0,)),
        Plan(ROWWISE, measure=of_flagship(large=True, rowwise=True), seeds=(0,), rehearsed=False),
        Plan(BOTH, measure=of_flagship(large=True, sparse=True, rowwise=True), seeds=(0,), rehearsed=False),
    ],
    metrics=("time", "activations", "state", "ms, plain", "MB of activations, plain"),
    wanted=[
        Wanted("checkpointing, activations of the language model", FULL_AGAIN, "activations", most=0.5),
        Wanted("checkpointing, time of the language model", FULL_AGAIN, "time", most=1.45),
        Wanted("checkpointing, activations of the flagship", AGAIN, "activations", most=0.5),
        Wanted("checkpointing, time of the flagship", AGAIN, "time", most=1.45),
        Wanted("LoRA, time over that of all of it", "language model, lora", "time", most=0.7),
        Wanted("top:2, time over that of all of it", "language model, top:2", "time", most=0.55),
        Wanted("sparse gradients, time with a large catalogue", SPARSE, "time", most=0.5),
    ],
)

if __name__ == "__main__":
    BENCHMARK.main()
