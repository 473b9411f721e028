"""``[pretraining]``."""

from __future__ import annotations

from typing import Literal, get_args

from pydantic import Field, PositiveInt, field_validator

from ...component import Options

__all__ = ["OBJECTIVES", "PAIRS", "Objective", "Pairs", "PretrainingOptions"]

Objective = Literal["masked_words", "causal_words", "contrastive"]
OBJECTIVES: tuple[Objective, ...] = get_args(Objective)
Pairs = Literal["next_item", "words", "views"]
PAIRS: tuple[Pairs, ...] = get_args(Pairs)
LOOK = 250
"""Steps between two looks at the held-out loss where an epoch has more."""


class PretrainingOptions(Options):
    """``[pretraining]``, which ``germane pretrain`` reads and no other command."""

    objective: Objective | None = None
    """``masked_words``: guess words from those around them (BERT family). ``causal_words``: guess each word from those before (GPT family).
    ``contrastive``: bring texts that belong together near each other (any). Absent: of the first two, the one that the language model can do."""
    corpus: str | tuple[str, ...] | None = None
    """Files or globs with the texts of a domain, relative to the config's folder: .txt holds one text a line; of .csv, .tsv, .parquet and .jsonl
    ``column`` is read. Absent: the prompts of the items and the words typed in training events."""
    column: str | None = None
    """Of the corpus' tables, the one that holds the texts."""
    pairs: tuple[Pairs, ...] | None = None
    """Of ``contrastive``: ``next_item`` (an item and the one its user took next), ``words`` (what was typed and the item taken), both of training
    events only; ``views`` (a text read twice). Absent: the first two where the data has them, else ``views``."""
    view: Literal["dropout", "tokens"] = "dropout"
    """What makes two views of a text differ: the language model's own dropout (SimCSE), or ``token_dropout``."""
    token_dropout: float = Field(default=0.2, gt=0, lt=1)
    """Share of the tokens that each view lacks, with ``view = "tokens"``."""
    temperature: float = Field(default=0.05, gt=0)
    """Of ``contrastive``: the lower, the more the nearest wrong answers count."""
    mask_share: float = Field(default=0.15, gt=0, lt=1)
    """Of ``masked_words``: share of the tokens to be guessed. Of these 80 % are masked, 10 % replaced by any other, 10 % left."""
    whole_words: bool = False
    """Of ``masked_words``: all that stands between two spaces together, and every piece of it masked. Not for languages without spaces."""
    head_steps: int = Field(default=500, ge=0)
    """Steps in which the head that guesses words is fitted on the frozen language model before anything of that learns. The loss after them is
    ``before`` in pretraining.json; a head without weights of its own takes none."""
    epochs: int = Field(default=3, ge=1)
    """Passes over the texts or pairs, at most."""
    steps: PositiveInt | None = None
    """At most so many steps, in the place of ``epochs``."""
    batch: int = Field(default=32, ge=2)
    """Texts or pairs a step; of ``contrastive`` also what each pair is told from."""
    learning_rate: float | None = Field(default=None, gt=0)
    """Absent: 5e-5 for words, 2e-5 for ``contrastive``. It falls to zero over the steps."""
    warmup: int = Field(default=50, ge=0)
    """Steps over which the learning rate rises from zero; at most half of all."""
    weight_decay: float = Field(default=0.01, ge=0)
    """How strongly weights are pulled to zero; biases and norms are not."""
    max_tokens: int | None = Field(default=None, ge=3, le=8192)
    """Longer texts are cut. Absent: as ``[text]`` says."""
    layers: PositiveInt | None = None
    """Only so many layers learn, from the top; absent: everything does. Of ``contrastive`` pairs the layers below are then gone through once a text
    (``[text] states_memory``)."""
    held_out: float = Field(default=0.1, gt=0, lt=1)
    """Share of the texts or pairs that nothing learns from, 2,000 at most: they judge."""
    look: PositiveInt | None = None
    """Steps between two looks at the held-out loss; absent: an epoch's, 250 at most."""
    patience: int = Field(default=3, ge=1)
    """Stop after so many looks without a lower held-out loss; the best weights are kept."""
    device: str = "auto"
    """``auto``: a GPU where there is one."""

    @field_validator("pairs", "corpus")
    @classmethod
    def _not_empty(cls, value: str | tuple[str, ...] | None) -> str | tuple[str, ...] | None:
        if value is not None and not value:
            raise ValueError("should name one at least, or be left out")
        return value

    def rate(self, objective: Objective) -> float:
        """The highest learning rate."""
        return self.learning_rate or (2e-5 if objective == "contrastive" else 5e-5)

    def total(self, steps_an_epoch: int) -> int:
        """Steps in all, at most."""
        return self.steps or self.epochs * steps_an_epoch

    def between(self, steps_an_epoch: int) -> int:
        """Steps from look to look."""
        return self.look or min(steps_an_epoch, LOOK)
