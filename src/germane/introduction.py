"""What a recommender says of itself: the moments that it knows, a query that works, its size."""

from __future__ import annotations

from typing import Any

import torch

from . import times
from .encoders import Encoder
from .features import FeatureSet
from .features.base import TIME
from .histories import Histories
from .models import Model

__all__ = ["moments", "parameters"]


def moments(features: FeatureSet, histories: Histories, newest: float, *, typed: bool, target: str | None) -> dict[str, Any]:
    """Names with their values and counts, or ranges; whether words are read (``typed``); the kind of event that a choice is; an example request.

    The kind is the run's ``target``, else the one that most users took most items by; None where events have no kinds.
    """
    known = features.known()
    example: dict[str, Any] = {"context": {}, "n": 5, **({"words": "something light"} if typed else {})}
    if users := histories.users():
        example["user"] = users[0]
    for name, facts in known.items():
        if name == TIME:
            example["time"] = times.show(newest)
        elif facts.get("values"):
            example["context"][name] = facts["values"][0]["value"]
        elif "low" in facts:
            example["context"][name] = facts["low"]
    kinds = histories.kinds()
    kind = target if target is not None else max(kinds, key=lambda one: (kinds[one], one), default=None)
    return {"columns": [{"name": name, **facts} for name, facts in known.items()], "words": typed, "kind": kind, "example": example}


def parameters(model: Model, text: Encoder) -> dict[str, int]:
    """How many numbers it is made of and how many of them learn, with and in the encoder."""
    sizes = [(p.numel(), p.requires_grad) for part in model.parts if isinstance(part, torch.nn.Module) for p in part.parameters()]
    own, learnt = sum(s for s, _ in sizes), sum(s for s, learns in sizes if learns)
    whole, tuned = text.parameters
    return {"total": own + whole, "trainable": learnt + tuned, "text_total": whole, "text_trainable": tuned}
