"""``[tracking]``: where a training is followed. What writes there is made by the job, since this knows of no files."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import Field, PositiveInt, field_validator, model_validator

from ..component import Options

__all__ = ["Tracker", "TrackingOptions"]

Tracker = Literal["json", "tensorboard", "wandb"]


class TrackingOptions(Options):
    use: tuple[Tracker, ...] = ("json",)
    """Where points of the curves go. ``json``: ``curve.jsonl`` in the run folder, or in that of a pretraining, always written; ``tensorboard``;
    ``wandb``: Weights & Biases. The last two need ``pip install 'germane[tracking]'``."""
    project: str = Field(default="germane", min_length=1)
    """Under which name W&B gathers runs."""
    run: str | None = Field(default=None, pattern=r"^[^/\\]+$")
    """What this run is called there. Absent: as its folder."""
    folder: str | None = None
    """Where TensorBoard's and W&B's files lie. Absent: ``tracking`` beside the run folder; a relative one is relative to the config."""
    offline: bool = True
    """Whether W&B writes files only. False sends them as they come, which needs an account: its key is read from ``WANDB_API_KEY`` or ``.netrc``."""
    every: PositiveInt = 10
    """Steps between two points; the end of an epoch is always one."""
    samples: int = Field(default=0, ge=0, le=100)
    """Users whose lists are shown at each validation, always the same ones: ``samples.jsonl`` in the run folder, texts in TensorBoard, a table
    in W&B. They hold users' ids and what these took. Of a training alone."""
    projector: bool = False
    """Whether the item vectors go to TensorBoard's projector when training ends, with the items' names; the 10,000 most taken at most.
    Of a training alone."""

    @field_validator("use", mode="before")
    @classmethod
    def _one_is_a_list(cls, value: object) -> object:
        return (value,) if isinstance(value, str) else value

    @model_validator(mode="after")
    def _projector_needs_tensorboard(self) -> Self:
        if self.projector and "tensorboard" not in self.use:
            raise ValueError('projector = true writes for TensorBoard: add "tensorboard" to use')
        return self
