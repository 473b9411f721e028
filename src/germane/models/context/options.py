"""Options of the flagship."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from ...component import Options
from ...histories import KEPT
from ...search_space import Searched

__all__ = ["ContextTransformerOptions"]


class ContextTransformerOptions(Options):
    width: Annotated[int, Searched(choices=(32, 64, 96, 128))] = Field(default=64, ge=2)
    """Size of the space in which queries and items meet."""
    blocks: Annotated[int, Searched(choices=(1, 2, 3))] = Field(default=2, ge=1)
    """Attention blocks over the history."""
    heads: int = Field(default=2, ge=1)
    """Attention heads; must divide ``width``."""
    gated: bool = False
    """Each place of a block says how much it takes from attention and feed-forward (LiGR). Worth trying where histories are long and data is dense;
    on sparse data it was worse (docs/models.md)."""
    length: Annotated[int, Searched(choices=(20, 50, 100, 200))] = Field(default=100, ge=1, le=KEPT)
    """How many of the newest events are read; a run remembers no more than 200 of a user."""
    dropout: Annotated[float, Searched(0.0, 0.6)] = Field(default=0.2, ge=0, lt=1)
    """Share of the numbers left out of each training step, against overfitting."""
    identity: bool = True
    """A trainable vector for each item that training knows."""
    identity_dropout: Annotated[float, Searched(0.0, 0.5)] = Field(default=0.1, ge=0, lt=1)
    """Chance that an item's identity is left out of a training step, where more is known of items than that; and that of a typed word."""
    text: bool = True
    """Item texts, through the encoder."""
    text_width: Annotated[int, Searched(choices=(64, 128, 256))] = Field(default=128, ge=1)
    """Width of the whitened text vectors."""
    side: bool = True
    """Side features of items."""
    profile: bool = True
    """Side features of users."""
    profile_dropout: float = Field(default=0.1, ge=0, lt=1)
    """Chance that all that is known of a user goes missing in a training step, so that a stranger of whom nothing is known is normal."""
    context: bool = True
    """The context of the moment asked about, through the gated cross."""
    history_context: bool = True
    """The context of each event of the history."""
    values: bool = True
    """What each event of the history was worth to its user, such as a rating."""
    user_identity: bool = False
    """A trainable vector for each user that training knows. The history says most of it; worth trying where the order of events means little."""
    words: bool = True
    """What the user typed: what it means, by the encoder."""
    word_match: bool = True
    """The very words that were typed, and those that mean nearly the same, against the words of the items' texts: finds items by name and by kind."""
    word_identity: bool = True
    """A trainable vector for each word, and each pair of words in a row, that users typed in training; where events hold typed words."""
    words_share: float = Field(default=0.2, ge=0, le=1)
    """Share of training targets asked for once more in words of their own text, so that items are found by name and by what is said of them."""
    content: bool = True
    """Plain similarity between an item and the history: of their texts, and of their side features."""
    new_item_likeness: float = Field(default=1.0, ge=0)
    """How many times as much that likeness, and likeness to typed words, counts for items without training events: what is learned of content fits
    the items that it was learned from better than others. 2 or 3 orders a shelf of new items better; beside known items 1 is as good."""
    new_item_share: float | None = Field(default=None, ge=0, le=1)
    """Share of the places in lists of ten that items without training events get, on average: filled by the best among them, and where a history
    speaks for them. 0: none is shown; 1: only they are. Absent: the places that their own scores earn, which are few. Each place is taken from
    an item that is known, so know both rows before you set it. Where few items are new, none stands in more than a tenth of the lists."""
    co_occurrence: Annotated[float, Searched(0.0, 3.0)] = Field(default=1.0, ge=0)
    """Weight in scores of how often others took an item shortly after those of the history, counted and not learned; in lists alone. 2 is worth
    trying where what comes next hangs on what came last; 0 counts nothing."""
    co_occurrence_reverse: float = Field(default=0.3, ge=0, le=1)
    """What such a pair counts against its order: 0 where the order is all, 1 where it means nothing."""
    co_occurrence_shrink: Annotated[float, Searched(choices=(0.0, 3.0, 10.0, 30.0))] = Field(default=30.0, ge=0)
    """Added to the denominator of the cosine: pairs with little evidence count less. Where events are few, accidents would else outweigh all that is
    learned; where they are many, 0 to 10 are a little better."""
    popularity: bool = True
    """Lately popular, in ``half_lives``, as a learned prior beside each item's own bias; where events have times."""
    relative_time: bool = True
    """Attention knows how long ago each event was."""
    context_dropout: Annotated[float, Searched(0.0, 0.4)] = Field(default=0.1, ge=0, lt=1)
    """Chance that a context value goes missing in training, so that missing context is normal. Time is never missing: its circles stay."""
    memory: bool = True
    """How often and how lately this user took this very item, among the newest ``length`` events; read by the click, rating and conversion head."""
    half_lives: tuple[Annotated[float, Field(gt=0)], ...] = (3.0, 30.0)
    """Half-lives, in days, of recent popularity."""
