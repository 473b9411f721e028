"""``[training]``."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import Field, PositiveFloat, PositiveInt, ValidationInfo, field_validator

from .. import models
from ..calibration import Kind
from ..component import Options, exported
from ..data.augmentation import AugmentOptions
from ..errors import ConfigError
from ..losses import HEADS, Head, Objective, RankingLoss, RatingLoss
from ..models import Learned, Model, TwoSided
from ..search_space import Searched
from .adversarial import AdversarialOptions
from .contrast import ContrastOptions
from .masked import MaskedOptions
from .precision import PrecisionName

__all__ = ["TrainingOptions"]


class TrainingOptions(Options):
    loss: RankingLoss | Literal["mse"] = "softmax"
    """Of the ranking head: ``softmax`` over the whole catalogue; the others against shared negatives. ``mse``: one rating head instead,
    and none beside it."""
    heads: Mapping[Head, float] | None = None
    """What is learnt, and the weight of its loss: ``{ranking = 1.0, click = 0.5, rating = 0.2}``. Absent: ranking, or what the model gives instead.
    ``click`` learns from labels, or from events against drawn negatives; ``rating`` from values; ``conversion`` from ``[data.rules] conversion``."""
    rating_loss: RatingLoss = "mse"
    """Of the rating head; ``bce`` on the rating scaled to 0–1; ``ordinal`` where ratings are an order of levels."""
    negatives: PositiveInt | Mapping[Literal["ranking", "click"], PositiveInt] | None = None
    """Of the ranking head, shared by a batch and read by every loss but ``softmax``: absent, 1,024. Of the click head, for each positive where
    no label is 0: absent, 4. One number is meant for both; ``{ranking = 1024, click = 4}`` tells them apart."""
    redraw_negatives: bool = True
    """Whether the click head's negatives are drawn anew each epoch, or once. Once only by models that learn from rows."""
    unknown_as_negatives: bool = False
    """Whether the click head's negatives may be items without training events. They then learn to be low, however good their content."""
    seen_as_negatives: bool | None = None
    """Whether what the user took before, in the stretch of ``length`` events that is read, stands against what was taken next. Absent: only where
    lists may show it again, which is ``[evaluation] exclude_seen`` other than true."""
    label_smoothing: float = Field(default=0.0, ge=0, lt=1)
    """With ``softmax`` or ``sampled_softmax``: the share of each target that is spread over the catalogue, such as 0.1, against overconfidence."""
    optimiser: Literal["adamw", "adam", "sgd", "adafactor"] = "adamw"
    """The rule by which gradients change weights."""
    momentum: float = Field(default=0.9, ge=0, lt=1)
    """Of ``sgd``: the share of its last step that a step keeps."""
    rowwise: bool = False
    """With ``adamw`` or ``adam``: tables of item and user vectors keep one number a row beside their weights, instead of two for each number.
    For tables that do not fit otherwise; it may learn a little worse."""
    sparse: bool = False
    """With ``adamw`` or ``adam``, and a loss against drawn negatives: gradients of tables of item and user vectors hold the rows that a step read, so
    that its cost does not grow with the catalogue. Weights of these tables do not decay. With ``rowwise`` it learns what that one does alone."""
    sharded: bool = False
    """With a loss against drawn negatives, in several processes: each holds a part of the table of items, with its optimiser's state, and of the
    frozen weights of a language model that learns; they send each other what a step reads. For what does not fit on one device; alone it changes
    nothing."""
    learning_rate: Annotated[PositiveFloat | Mapping[Literal["text", "rest"], PositiveFloat], Searched(3e-4, 2e-2, log=True)] = 2e-3
    """Length of a step. ``{text = 1e-5, rest = 1e-3}`` tells a language model that learns from all the rest. Where ``text`` is not said, pretrained
    layers have 1e-5, and what is put in beside them (LoRA, adapter, prefix) has 5e-4, or the rate of the rest if that is less."""
    layer_decay: float = Field(default=0.9, gt=0, le=1)
    """Of a language model that learns: each layer's share of the learning rate of the layer above; the topmost has all of it."""
    schedule: Literal["constant", "linear", "cosine", "inverse_sqrt", "plateau"] = "constant"
    """What the learning rate does after the warm-up: ``linear`` and ``cosine`` fall to zero over ``epochs``, ``inverse_sqrt`` with the root of the
    steps; ``plateau`` falls where the validation figure (without a validation part: the loss) no longer gets better."""
    plateau_factor: float = Field(default=0.5, gt=0, lt=1)
    """Of ``plateau``: the share of the learning rate that a fall leaves."""
    plateau_patience: int = Field(default=2, ge=1)
    """Of ``plateau``: epochs without a better figure before a fall. Smaller than ``patience``, or training stops first."""
    warmup: int | float = Field(default=50, ge=0)
    """Steps over which the learning rate rises from zero; below 1 a share of all steps of ``epochs``."""
    batch: Annotated[PositiveInt | None, Searched(choices=(16, 32, 64, 128, 256))] = None
    """Stretches of users' timelines a step, or rows for a model that scores rows one at a time. Absent: 32, or 1,024 rows."""
    accumulate: int = Field(default=1, ge=1)
    """Batches whose gradients are added up for one step."""
    epochs: int = Field(default=40, ge=1)
    """At most."""
    patience: int = Field(default=5, ge=1)
    """Stop after so many epochs without a better validation figure; the best weights are kept."""
    metric: str | None = None
    """The validation figure that decides. Absent: ``ndcg@10`` where the ranking head learns, else ``auc``, else ``rmse``; ``ndcg@10`` too
    where validation cannot tell them, as ``auc`` without labels of both classes."""
    refit: bool = False
    """Train again, on training and validation events together, for as many epochs as validation chose."""
    calibrate: Kind | None = None
    """A map from what the click head states to what was observed, fitted on the validation rows: ``temperature`` for few rows, ``platt`` where the
    share of positives is off too, ``isotonic`` for thousands. Absent: none. ``refit`` keeps the map."""
    weight_decay: Annotated[float, Searched(1e-4, 10.0, log=True)] = Field(default=0.01, ge=0)
    """How strongly weights are pulled to zero; biases and norms are not."""
    average: float = Field(default=0.0, ge=0, lt=1)
    """Judge and keep a running mean of the weights, of which each step leaves this share, such as 0.99: steadier where epochs swing. 0: no mean."""
    swa: float = Field(default=0.0, ge=0, lt=1)
    """Judge and keep the equal mean of the weights at the ends of epochs, from this share of ``epochs`` on, such as 0.75; stopping early waits for
    it. For the last bit, beside a learning rate that does not fall to zero. 0: no mean."""
    clip: float = Field(default=5.0, gt=0)
    """Largest norm of a gradient."""
    precision: PrecisionName = "float32"
    """Of a step's products; weights and losses stay in float32. ``bf16``, ``fp16``: half the memory of activations, and faster on devices that have
    units for them, refused on others. ``auto``: the best that a GPU has, and float32 on a CPU."""
    checkpointing: bool = False
    """Activations of attention over the history, of scores against items and of a language model that learns are worked out again on the way back
    instead of being kept: less than a third of them are, for a fourth more time, and half more with a language model that learns. The same weights
    come of it."""
    augment: AugmentOptions | None = None
    """How histories are varied each epoch, against overfitting: ``{crop = 0.2, mask = 0.3}``. Of models that learn from timelines. Absent: not."""
    adversarial: AdversarialOptions | None = None
    """Learn also from weights disturbed where it hurts most, against overfitting: ``{kind = "fgm", size = 0.5}``. Absent: not."""
    contrast: ContrastOptions | None = None
    """Learn also to tell whose history it is from two views of it, where targets alone are too few: ``{weight = 0.1}``. Absent: not."""
    masked: MaskedOptions | None = None
    """Learn also to find items that are hidden from a history by what stands before and after: ``{weight = 0.1, share = 0.2}``. Absent: not."""
    device: str = "auto"
    """``auto``: a GPU where there is one. ``cpu``: none, for the language model of ``[text]`` either."""
    threads: int | None = Field(default=None, ge=1)
    """CPU threads; absent: torch's choice."""

    @field_validator("heads")
    @classmethod
    def _some_head_learns(cls, value: Mapping[Head, float] | None) -> Mapping[Head, float] | None:
        if value is not None and (not value or any(not weight > 0 for weight in value.values())):
            raise ValueError("each head should have a weight above 0, and there should be one at least")
        return value

    @field_validator("heads")
    @classmethod
    def _one_rating_head(cls, value: Mapping[Head, float] | None, told: ValidationInfo) -> Mapping[Head, float] | None:
        if value is not None and told.data.get("loss") == "mse" and set(value) != {"rating"}:
            raise ValueError(
                "should be left out beside loss = 'mse', which is one rating head; for several heads say a loss of the ranking head, such as "
                "loss = 'softmax', and rating_loss = 'mse'"
            )
        return value

    @field_validator("learning_rate", mode="before")
    @classmethod
    def _rates_are_positive(cls, value: Any) -> Any:
        said = value.values() if isinstance(value, Mapping) else [value]
        numbers = [rate for rate in said if isinstance(rate, int | float) and not isinstance(rate, bool) and 0 < rate < math.inf]
        if len(numbers) < len(said) or not said or (isinstance(value, Mapping) and set(value) - {"text", "rest"}):
            raise ValueError("should be a number above 0, or a table such as {text = 1e-5, rest = 1e-3} of such numbers")
        return value

    @field_validator("warmup", mode="before")
    @classmethod
    def _steps_are_whole(cls, value: Any) -> Any:
        if isinstance(value, float) and value >= 1 and not value.is_integer():
            raise ValueError("should be a whole number of steps, or a share of all steps below 1")
        return int(value) if isinstance(value, float) and value >= 1 and value.is_integer() else value

    @field_validator("label_smoothing")
    @classmethod
    def _smoothing_belongs_to_softmax(cls, value: float, told: ValidationInfo) -> float:
        if value and told.data.get("loss", "softmax") not in ("softmax", "sampled_softmax"):
            raise ValueError(f"should stand beside loss = 'softmax' or 'sampled_softmax', and {told.data['loss']!r} is asked for")
        return value

    @field_validator("swa")
    @classmethod
    def _one_mean(cls, value: float, told: ValidationInfo) -> float:
        if value and told.data.get("average"):
            raise ValueError(f"is one mean of the weights and average = {told.data['average']!r} another: say one of them")
        return value

    @field_validator("rowwise", "sparse")
    @classmethod
    def _rows_belong_to_adam(cls, value: bool, told: ValidationInfo) -> bool:
        if value and told.data.get("optimiser", "adamw") not in ("adamw", "adam"):
            raise ValueError(f"should stand beside optimiser = 'adamw' or 'adam', and {told.data['optimiser']!r} is asked for")
        return value

    @field_validator("sharded")
    @classmethod
    def _one_way_with_tables(cls, value: bool, told: ValidationInfo) -> bool:
        if value and (told.data.get("rowwise") or told.data.get("sparse")):
            raise ValueError("keeps a table in parts, and rowwise and sparse spare it in other ways: say one of them")
        return value

    @property
    def rate(self) -> float:
        """The learning rate of all but a language model."""
        return float(self.learning_rate.get("rest", 2e-3)) if isinstance(self.learning_rate, Mapping) else float(self.learning_rate)

    @property
    def text_rate(self) -> float | None:
        """That of a language model's topmost layer, where it is said."""
        return self.learning_rate.get("text") if isinstance(self.learning_rate, Mapping) else None

    def objective(self, model: Model) -> Objective:
        """What this asks of ``model``; an error where the model cannot give it."""
        gives = model.abilities.gives
        heads = self.heads or ({"rating": 1.0} if self.loss == "mse" else None)
        if heads is None:
            heads = {next(head for head in ("ranking", *HEADS) if head in gives): 1.0}
        lacking = [head for head in heads if head not in gives]
        if lacking:
            known: dict[str, type[Model]] = exported(models, Model)
            able = [name for name, part in known.items() if set(heads) <= part.abilities.gives]
            others = f"models that do are {', '.join(able)}" if able else "no model does"
            raise ConfigError(
                f"[training] asks for {' and '.join(heads)}, and {type(model).__name__} gives {', '.join(sorted(gives))} only; {others}."
            )
        if self.calibrate is not None and "click" not in heads:
            raise ConfigError(
                f"[training] calibrate = {self.calibrate!r} maps what a click head states, and {type(model).__name__} is to learn "
                f"{' and '.join(heads)} only: ask for heads = {{click = 1.0}} of a model that gives it, or leave calibrate out."
            )
        if self.augment is not None and not _learns(model, "timelines"):
            raise ConfigError(
                f"[training] augment varies histories, and {type(model).__name__} learns from no timelines: take a model that reads them in order, "
                "such as ContextTransformer, SASRec or GRU, or leave augment out."
            )
        if self.adversarial is not None and not _learns(model, "timelines", "rows"):
            raise ConfigError(f"[training] adversarial disturbs gradient steps, and {type(model).__name__} takes none: leave it out.")
        alone = [name for name in ("contrast", "masked") if getattr(self, name) is not None]
        if alone and not (isinstance(model, TwoSided) and _learns(model, "timelines")):
            raise ConfigError(
                f"[training] {alone[0]} compares what histories say, and {type(model).__name__} makes no vector of one: take a model that does, "
                f"such as ContextTransformer, SASRec or GRU, or leave {alone[0]} out."
            )
        if self.sharded and not getattr(model, "by_rows", ()):
            raise ConfigError(f"[training] sharded = true: {type(model).__name__} has no table that may lie in parts; ContextTransformer has.")
        if self.sharded and (self.adversarial is not None or alone):
            other = alone[0] if self.adversarial is None else "adversarial"
            raise ConfigError(
                f"[training] sharded and {other}: processes that hold a table in parts have to read it as often as each other; say one."
            )
        if not self.redraw_negatives and "click" in heads and _learns(model, "timelines"):
            raise ConfigError(
                f"[training] redraw_negatives = false: {type(model).__name__} meets its events in stretches that are cut anew each epoch, and draws "
                "the click head's negatives as it reads them; leave it out, or take a model that learns from rows, such as DCNv2."
            )
        loss = "softmax" if self.loss == "mse" else self.loss
        if (self.sparse or self.sharded) and "ranking" in heads and loss == "softmax":
            raise ConfigError(
                f'[training] {"sparse" if self.sparse else "sharded"} = true: loss = "softmax" reads every item in each step, so nothing would be '
                "saved; "
                'choose "sampled_softmax", "bce", "gbce" or "bpr", or leave it out.'
            )
        if self.label_smoothing and "ranking" not in heads:
            raise ConfigError(
                f"[training] label_smoothing = {self.label_smoothing} is of the ranking head, and {type(model).__name__} is to learn "
                f"{' and '.join(heads)} only: ask for heads = {{ranking = 1.0}} of a model that gives it, or leave label_smoothing out."
            )
        return Objective(
            loss=loss,
            negatives=self.drawn("ranking"),
            seen_as_negatives=self.seen_as_negatives is not False,
            heads=heads,
            rating_loss=self.rating_loss,
            click_negatives=self.drawn("click"),
            unknown_as_negatives=self.unknown_as_negatives,
            label_smoothing=self.label_smoothing,
        )

    def suited(self, model: Model) -> TrainingOptions:
        """The same for another model, of what that one can give: for baselines. How it is fitted into the machine is for each model to say."""
        heads = {head: weight for head, weight in (self.heads or {}).items() if head in model.abilities.gives} or None
        loss = "softmax" if self.loss == "mse" and "rating" not in model.abilities.gives else self.loss
        apart: dict[str, object] = {"calibrate": None, "label_smoothing": 0.0, "sparse": False, "sharded": False, "checkpointing": False}
        apart["redraw_negatives"] = self.redraw_negatives or _learns(model, "timelines")
        apart["augment"] = self.augment if _learns(model, "timelines") else None
        apart["adversarial"] = self.adversarial if _learns(model, "timelines", "rows") else None
        if not (isinstance(model, TwoSided) and _learns(model, "timelines")):
            apart |= {"contrast": None, "masked": None}
        other = self.model_copy(update={"heads": heads, "loss": loss, **apart})
        learnt = other.objective(model).heads
        kept = {"calibrate": self.calibrate if "click" in learnt else None, "label_smoothing": self.label_smoothing if "ranking" in learnt else 0.0}
        return other.model_copy(update=kept)

    def drawn(self, head: Literal["ranking", "click"]) -> int:
        """Negatives of a head."""
        usual = {"ranking": 1024, "click": 4}[head]
        if isinstance(self.negatives, int):
            return self.negatives
        return (self.negatives or {}).get(head, usual)


def _learns(model: Model, *feeds: str) -> bool:
    """Whether a part of it learns by gradients from such a feed."""
    return any(isinstance(part, Learned) and part.learns_from in feeds for part in model.parts)
