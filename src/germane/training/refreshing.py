"""When vectors of texts are worked out anew as their language model learns along."""

from __future__ import annotations

from collections.abc import Callable

from ..encoders import LearningTexts

__all__ = ["Refreshing"]


class Refreshing:
    """Tells a language model where the training stands, and calls ``refresh`` when vectors are of weights that are no more. Where no language
    model learns it does nothing."""

    def __init__(self, texts: LearningTexts | None, refresh: Callable[[], None] | None) -> None:
        self.texts, self.refresh = texts, refresh or (lambda: None)

    @property
    def waiting(self) -> int:
        """Epochs at the beginning in which the language model does not learn."""
        return 0 if self.texts is None else self.texts.frozen_epochs or 0

    def wakes(self, epoch: int, settled: bool) -> bool:
        """Whether the language model begins to learn with this epoch, where its options do not say when: once all else has ``settled``, or half of
        the epochs are gone. True once."""
        if self.texts is None or not self.texts.until_settled or not (settled or epoch == self.waiting):
            return False
        self.texts.wake(epoch)
        return True

    def resume(self, epochs: int, woken: int = 0) -> None:
        """A training goes on behind so many: its checkpoint holds what was learnt and no vectors. ``woken``: when ``wakes`` was true; 0: not yet."""
        if self.texts is not None and woken:
            self.texts.wake(woken)
        if self.texts is not None and epochs > self.waiting:
            self.texts.begin(epochs - 1)
            self.refresh()

    def begin(self, epoch: int) -> None:
        if self.texts is not None:
            self.texts.begin(epoch)

    def stepped(self, done: int, steps: int) -> None:
        """After ``done`` of an epoch's ``steps``."""
        if self.texts is not None and self.texts.due(done, steps):
            self.refresh()

    def ended(self) -> None:
        """At an epoch's end, with the weights that are judged; and once more where others are learnt on from."""
        if self.texts is not None and self.texts.awake:
            self.refresh()
