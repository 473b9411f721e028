"""``[evaluation]``."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import field_validator

from ..component import Options
from ..errors import ConfigError

__all__ = ["SEGMENTS", "EvaluationOptions"]

Segment = Literal["all", "known items", "new items", "new among new", "new users", "sparse users", "new pairs"]
Variant = Literal[
    "without context",
    "context shuffled",
    "context shuffled within users",
    "context missing",
    "typos in words",
    "synonyms in words",
    "paraphrased words",
    "typos in texts",
    "synonyms in texts",
    "paraphrased texts",
]
SEGMENTS: tuple[Segment, ...] = ("all", "known items", "new items", "new among new", "new users", "sparse users", "new pairs")


class EvaluationOptions(Options):
    k: tuple[int, ...] = (10,)
    """Lengths of the lists that are judged. ``[]``: no lists are judged, only what the click and rating heads say of held-out rows."""
    exclude_seen: bool | tuple[str, ...] = True
    """Whether what a user took before is left out of lists; or the kinds of events that count as seen."""
    history: Literal["rolling", "frozen"] = "rolling"
    """``rolling``: a case knows all that its user did before it; ``frozen``: only what training saw."""
    baselines: tuple[str | dict[str, Any], ...] = ()
    """Models that are fitted beside the run and reported as rows of their own: a name, or ``{use = "PopularLately", days = 7}``."""
    segments: tuple[Segment, ...] = SEGMENTS
    """Parts of the held-out events with rows of their own. New: without training events; sparse: with fewer than ten.
    New among new: the new items' own shelf, where a list holds nothing else. New pairs: of a user with an item that it did not take in training,
    where other held-out events repeat."""
    variants: tuple[Variant, ...] = ("context shuffled",)
    """Rows that tell what the model owes to what: trained again blind to context; asked in the moments of others, or in other moments of the same
    user; with one context value in ten missing; with a typing error in each longer word that was typed, with synonyms for half of them, or sent
    through another language; with typing errors in the items' texts, with synonyms in them, or with texts that went through another language. Left
    out where the data, the model or the machine have nothing of the kind."""

    def check_kinds(self, told: bool) -> None:
        """An error where only some kinds of events are to count as seen, and events have none."""
        if not told and not isinstance(self.exclude_seen, bool) and self.exclude_seen:
            raise ConfigError(
                f"[evaluation] exclude_seen = {list(self.exclude_seen)} names kinds of events, and no column holds them: "
                "name it by kind = … in [data.columns], or say true or false."
            )

    @field_validator("k", mode="before")
    @classmethod
    def _one_is_a_list(cls, value: object) -> object:
        return (value,) if isinstance(value, int) else value

    @field_validator("k")
    @classmethod
    def _in_range(cls, value: tuple[int, ...]) -> tuple[int, ...]:
        if any(not 1 <= k <= 1000 for k in value):
            raise ValueError("each k should lie between 1 and 1,000")
        return value
