"""Half precision: refused where the device would be slower, near float32 where it is not."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch

from germane import models
from germane.batches import Batch
from germane.component import exported
from germane.data import LeaveLastOut
from germane.encoders import HashedText
from germane.errors import TrainingError
from germane.jobs.train import fit
from germane.losses import Objective
from germane.losses.pretraining import info_nce
from germane.models import ContextTransformer, Learned, SASRec
from germane.recommender import Recommender
from germane.testing.model_contract import small_shop
from germane.training import ContrastOptions, TrainingOptions, precision
from germane.training.precision import Precision, chosen_precision

CPU = torch.device("cpu")


class Counting(HashedText):
    encoded = 0

    def encode(self, texts):  # type: ignore[no-untyped-def]
        Counting.encoded += 1
        return super().encode(texts)


def first_loss(model: Learned, **options: object) -> float:
    dataset = small_shop()
    said = TrainingOptions(epochs=1, batch=16, warmup=2, learning_rate=1e-9, optimiser="sgd", **options)  # type: ignore[arg-type]
    told = fit(Recommender(model, text=HashedText(width=16)), dataset, LeaveLastOut().divide(dataset), said)
    return float(told["curve"][0]["loss"])


def test_a_cpu_without_units_refuses_before_a_text_is_encoded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(precision, "cpu_units", lambda: {"avx2", "avx512_f"})
    dataset, model = small_shop(), ContextTransformer(width=8, blocks=1)
    with pytest.raises(TrainingError, match=r'precision = "bf16": this CPU has no units for bf16 .* slower by it; say "float32", or "auto"'):
        fit(Recommender(model, text=Counting(width=16)), dataset, LeaveLastOut().divide(dataset), TrainingOptions(precision="bf16", device="cpu"))
    assert Counting.encoded == 0
    assert chosen_precision("auto", CPU) == "float32"


@pytest.mark.parametrize("units", [{"amx_bf16"}, {"avx512_bf16", "avx2"}, {"bf16", "neon"}])
def test_a_cpu_with_units_takes_bf16_and_never_fp16(units: set[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(precision, "cpu_units", lambda: units)
    assert (chosen_precision("bf16", CPU), chosen_precision("auto", CPU)) == ("bf16", "float32")
    with pytest.raises(TrainingError, match=r'"fp16": it is for GPUs'):
        chosen_precision("fp16", CPU)


@pytest.mark.parametrize(("major", "emulated", "auto"), [(6, True, "float32"), (7, True, "fp16"), (9, False, "bf16")])
def test_a_gpu_takes_what_it_has_units_for(major: int, emulated: bool, auto: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda including_emulation=True: including_emulation or not emulated)
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda device=None: (major, 0))
    cuda = SimpleNamespace(type="cuda")
    assert chosen_precision("auto", cuda) == auto  # type: ignore[arg-type]
    if emulated:
        with pytest.raises(TrainingError, match="this GPU has no units for bf16"):
            chosen_precision("bf16", cuda)  # type: ignore[arg-type]


@pytest.mark.parametrize("name", sorted(exported(models, Learned)))
def test_half_precision_is_near(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of every model that learns: the loss of an epoch at rest within one in a hundred of float32's, with weights in float32."""
    monkeypatch.setattr(precision, "cpu_units", lambda: {"amx_bf16"})
    kind = exported(models, Learned)[name]
    small = {"width": 8, "dropout": 0.0, "identity_dropout": 0.0, "context_dropout": 0.0}
    given = {option: value for option, value in small.items() if option in kind.option_class.model_fields}
    first, half = kind(**given), kind(**given)
    assert first_loss(half, precision="bf16") == pytest.approx(first_loss(first), rel=0.01)
    assert {p.dtype for p in half.parameters()} == {torch.float32}


def test_products_are_half_and_losses_are_not(monkeypatch: pytest.MonkeyPatch) -> None:
    from germane.losses import full_softmax

    monkeypatch.setattr(precision, "cpu_units", lambda: {"amx_bf16"})
    with Precision("bf16", CPU).autocast():
        scores = torch.ones(4, 8) @ torch.ones(8, 20)
        assert scores.dtype is torch.bfloat16
        loss = full_softmax(scores, torch.zeros(4, dtype=torch.int64), torch.ones(4))
    assert loss.dtype is torch.float32 and loss.item() == pytest.approx(2.995732, abs=1e-5)  # ln 20, which bf16 has as 3.0


@pytest.mark.parametrize("model", [SASRec(width=8, dropout=0.0), ContextTransformer(width=8, dropout=0.0, identity_dropout=0.0, context_dropout=0.0)])
def test_histories_are_told_apart_in_half_precision_too(model: Learned, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(precision, "cpu_units", lambda: {"amx_bf16"})
    said = {"contrast": ContrastOptions(weight=1.0)}
    plain, whole, half = (first_loss(type(model)(**model.settings()), **how) for how in ({}, said, {**said, "precision": "bf16"}))
    assert half == pytest.approx(whole, rel=0.01) and whole > plain + 0.5


@pytest.mark.parametrize("half", [torch.bfloat16, torch.float16])
def test_what_is_no_wrong_answer_is_none_in_half_precision(half: torch.dtype) -> None:
    vectors, clash = torch.eye(3)[[0, 0, 2]].requires_grad_(), torch.zeros(3, 3, dtype=torch.bool)
    clash[0, 1] = clash[1, 0] = True
    with torch.autocast("cpu", dtype=half):
        loss = info_nce(vectors, vectors, clash, 0.05)
    loss.backward()
    assert loss.dtype is torch.float32 and loss.item() < 1e-6 and vectors.grad is not None and vectors.grad.isfinite().all()


def test_a_step_that_overflows_is_left_out_and_the_scale_made_smaller(monkeypatch: pytest.MonkeyPatch) -> None:
    """fp16's scaler on a CPU, where it goes the same way; the device's own refusal is put aside."""
    monkeypatch.setattr(precision, "against", lambda name, device: None)
    half = Precision("fp16", CPU)
    assert half.scaler is not None
    weight = torch.nn.Parameter(torch.ones(2))
    rule = torch.optim.SGD([weight], lr=0.5)
    scale = half.scaled(torch.ones(())).item()
    for gradient, expected in ((torch.inf, 1.0), (1.0, 0.5)):
        rule.zero_grad()
        half.scaled((weight * gradient).sum()).backward()
        half.unscale([rule])
        half.step([rule])
        assert weight.tolist() == [expected] * 2
    assert half.scaled(torch.ones(())).item() == scale / 2


def test_where_one_optimiser_s_gradients_overflow_none_moves(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(precision, "against", lambda name, device: None)
    half, weights = Precision("fp16", CPU), [torch.nn.Parameter(torch.ones(2)) for _ in range(2)]
    rules = [torch.optim.SGD([weight], lr=0.5) for weight in weights]
    half.scaled(weights[0].sum() * torch.inf + weights[1].sum()).backward()
    half.unscale(rules)
    norm = torch.nn.utils.clip_grad_norm_(weights, 5.0)  # not a number, and now no gradient is one
    half.step(rules, bool(norm.isfinite()))
    assert [weight.tolist() for weight in weights] == [[1.0, 1.0]] * 2


def test_where_one_process_overflows_all_take_the_smaller_scale(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of a table in parts the gradient of one part may overflow alone; that it did is known to all by the norm."""
    monkeypatch.setattr(precision, "against", lambda name, device: None)
    scales = []
    for factor in (torch.inf, 1.0):
        half, weight = Precision("fp16", CPU), torch.nn.Parameter(torch.ones(2))
        rule = torch.optim.SGD([weight], lr=0.5)
        half.scaled((weight * factor).sum()).backward()
        half.unscale([rule])
        half.step([rule], finite=False)
        assert weight.tolist() == [1.0, 1.0] and half.scaler is not None
        scales.append(half.scaler.state_dict())
    assert scales[0] == scales[1] and scales[0]["scale"] == 2.0**15


def test_half_precision_goes_on_where_it_was_stopped(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The scale and how long it has held are kept: a step that overflows in the one overflows in the other."""
    monkeypatch.setattr(precision, "against", lambda name, device: None)
    monkeypatch.setattr(torch.amp, "GradScaler", partial(torch.amp.GradScaler, growth_interval=2))
    dataset = small_shop()

    def learnt(epochs: int, kept: Path | None = None) -> tuple[dict[str, torch.Tensor], list[dict[str, Any]]]:
        scales: list[dict[str, Any]] = []
        step = Precision.step

        def watched(self: Precision, *given: Any) -> None:
            step(self, *given)
            assert self.scaler is not None
            scales.append(self.scaler.state_dict())

        recommender = Recommender(SASRec(width=8, blocks=1, length=6), text=HashedText(width=16))
        said = TrainingOptions(epochs=epochs, batch=8, warmup=2, precision="fp16", patience=9)
        with monkeypatch.context() as patch:
            patch.setattr(Precision, "step", watched)
            fit(recommender, dataset, LeaveLastOut().divide(dataset), said, checkpoint=kept)
        return recommender.model.state(), scales

    whole, scales = learnt(3)
    _, before = learnt(1, tmp_path)
    resumed, after = learnt(3, tmp_path)
    assert before + after == scales and len({told["scale"] for told in scales}) > 2
    assert all(torch.equal(tensor, resumed[name]) for name, tensor in whole.items())


class NoGradient(SASRec):
    """Its loss is a number, and its gradient never is."""

    def loss(self, batch: Batch, objective: Objective) -> dict[str, torch.Tensor]:
        nothing = (next(self.parameters()).sum() * 0).sqrt()
        return {head: value + nothing for head, value in super().loss(batch, objective).items()}


def test_a_gradient_that_no_scale_helps_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(precision, "against", lambda name, device: None)
    dataset, said = small_shop(), TrainingOptions(epochs=20, batch=8, precision="fp16", patience=20)
    with pytest.raises(TrainingError, match=r"^The gradient is not a number at epoch \d+, step \d+: lower training.learning_rate"):
        fit(Recommender(NoGradient(width=8, blocks=1), text=HashedText(width=16)), dataset, LeaveLastOut().divide(dataset), said)
