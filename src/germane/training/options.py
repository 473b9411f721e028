"""``[training]``."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from ..component import Options
from ..losses import Objective, RankingLoss

__all__ = ["TrainingOptions"]


class TrainingOptions(Options):
    loss: RankingLoss = "softmax"
    """``softmax`` over the whole catalogue; the others against shared negatives."""
    negatives: int = Field(default=1024, ge=1)
    """Negatives that a batch shares; read by every loss but ``softmax``."""
    seen_as_negatives: bool | None = None
    """Whether what the user took before stands against what was taken next. Absent: only where lists may show it again, which is
    ``[evaluation] exclude_seen`` other than true."""
    optimiser: Literal["adamw", "adam", "sgd", "adafactor"] = "adamw"
    """The rule by which gradients change weights."""
    learning_rate: float = Field(default=2e-3, gt=0)
    """Length of a step."""
    schedule: Literal["constant", "linear", "cosine"] = "constant"
    """What the learning rate does after the warm-up, over ``epochs``."""
    warmup: int = Field(default=50, ge=0)
    """Steps over which the learning rate rises from zero."""
    batch: int = Field(default=32, ge=1)
    """Stretches of users' timelines a step."""
    accumulate: int = Field(default=1, ge=1)
    """Batches whose gradients are added up for one step."""
    epochs: int = Field(default=40, ge=1)
    """At most."""
    patience: int = Field(default=5, ge=1)
    """Stop after so many epochs without a better validation figure; the best weights are kept."""
    metric: str = "ndcg@10"
    """The validation figure that decides."""
    refit: bool = False
    """Train again, on training and validation events together, for as many epochs as validation chose."""
    weight_decay: float = Field(default=0.01, ge=0)
    """How strongly weights are pulled to zero; biases and norms are not."""
    clip: float = Field(default=5.0, gt=0)
    """Largest norm of a gradient."""
    device: str = "auto"
    """``auto``: a GPU where there is one."""
    threads: int | None = Field(default=None, ge=1)
    """CPU threads; absent: torch's choice."""

    def objective(self) -> Objective:
        return Objective(self.loss, self.negatives, self.seen_as_negatives is not False)
