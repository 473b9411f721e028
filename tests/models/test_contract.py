from __future__ import annotations

from germane import models
from germane.component import exported
from germane.models import GRU, ContextTransformer, ItemNeighbours, Model, Popular, PopularLately, SASRec
from germane.testing.model_contract import ModelContract


class TestPopular(ModelContract):
    model = Popular()


class TestPopularLately(ModelContract):
    model = PopularLately(days=3)


class TestItemNeighbours(ModelContract):
    model = ItemNeighbours(neighbours=8)


class TestSASRec(ModelContract):
    model = SASRec(width=16, blocks=1, heads=2, length=10)


class TestGRU(ModelContract):
    model = GRU(width=16, layers=2, length=10)


class TestContextTransformer(ModelContract):
    model = ContextTransformer(width=16, blocks=1, length=10, text_width=8)


class TestBareContextTransformer(ModelContract):
    """Every part switched off but the history."""

    model = ContextTransformer(
        width=16,
        blocks=1,
        length=10,
        identity=True,
        text=False,
        side=False,
        profile=False,
        context=False,
        history_context=False,
        words=False,
        content=False,
        popularity=False,
        relative_time=False,
    )


def test_every_model_has_a_contract() -> None:
    held = {type(contract.model).__name__ for contract in ModelContract.__subclasses__()}
    assert set(exported(models, Model)) <= held
