from __future__ import annotations

from germane import models
from germane.component import exported
from germane.models import (
    ALS,
    BPR,
    EASE,
    GRU,
    NCF,
    BiasedMF,
    Blend,
    ContentNeighbours,
    ContextTransformer,
    DCNv2,
    DeepMF,
    FactorisationMachine,
    ItemNeighbours,
    Model,
    Popular,
    PopularLately,
    SASRec,
    TensorFactorisation,
    TwoEmbeddings,
    TwoStage,
    UserNeighbours,
)
from germane.testing.model_contract import ModelContract
from germane.training import TrainingOptions


class TestPopular(ModelContract):
    model = Popular()


class TestPopularLately(ModelContract):
    model = PopularLately(days=3)


class TestItemNeighbours(ModelContract):
    model = ItemNeighbours(neighbours=8)


class TestUserNeighbours(ModelContract):
    model = UserNeighbours(neighbours=8, fade=0.9)


class TestEASE(ModelContract):
    model = EASE(l2=5, fade=0.9)


class TestWeightedEASE(ModelContract):
    model = EASE(l2=5, weighted=True)


class TestALS(ModelContract):
    model = ALS(factors=8, iterations=5)


class TestBPR(ModelContract):
    model = BPR(factors=8, iterations=20)


class TestContentNeighbours(ModelContract):
    model = ContentNeighbours(text_width=16)


class TestBlend(ModelContract):
    model = Blend(members=[{"use": "ContextTransformer", "width": 8, "blocks": 1, "length": 10, "text_width": 8}, {"use": "EASE"}])


class TestBlendOfRanks(ModelContract):
    model = Blend(members=[{"use": "ItemNeighbours", "weight": 2.0}, {"use": "Popular", "weight": 1.0}], of="ranks")


class TestBlendOfRatings(ModelContract):
    model = Blend(members=[{"use": "FactorisationMachine", "width": 8}, {"use": "BiasedMF", "width": 8}])
    training = TrainingOptions(epochs=2, batch=64, heads={"rating": 1.0})


class TestTwoStage(ModelContract):
    model = TwoStage(first={"use": "ItemNeighbours"}, ranker={"use": "CrossNetwork", "epochs": 2})


class TestTwoStageOfTrees(ModelContract):
    model = TwoStage(
        first={"use": "ContextTransformer", "width": 8, "blocks": 1, "length": 10, "text_width": 8},
        ranker={"use": "BoostedTrees", "trees": 10, "min_rows": 5},
    )


class TestSASRec(ModelContract):
    model = SASRec(width=16, blocks=1, heads=2, length=10)


class TestGatedSASRec(ModelContract):
    model = SASRec(width=16, blocks=1, heads=2, length=10, gated=True)


class TestGRU(ModelContract):
    model = GRU(width=16, layers=2, length=10)


class TestContextTransformer(ModelContract):
    model = ContextTransformer(width=16, blocks=1, length=10, text_width=8)


class TestGatedContextTransformer(ModelContract):
    model = ContextTransformer(width=16, blocks=2, length=10, text_width=8, gated=True)


class TestContextTransformerOfSeveralHeads(ModelContract):
    model = ContextTransformer(width=16, blocks=1, length=10, text_width=8, user_identity=True)
    training = TrainingOptions(epochs=2, batch=16, warmup=2, heads={"ranking": 1.0, "click": 0.5, "rating": 0.5})


class TestContextTransformerOfRatings(ModelContract):
    """It ranks by the rating where nothing else is learnt."""

    model = ContextTransformer(width=16, blocks=1, length=10, text_width=8, memory=False)
    training = TrainingOptions(epochs=2, batch=16, warmup=2, heads={"rating": 1.0}, rating_loss="ordinal")


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


ROWS = TrainingOptions(epochs=2, batch=64, warmup=2)


class TestTwoEmbeddings(ModelContract):
    model = TwoEmbeddings(width=4, hidden=8)
    training = ROWS


class TestBiasedMF(ModelContract):
    model = BiasedMF(width=4)
    training = ROWS


class TestFactorisationMachine(ModelContract):
    model = FactorisationMachine(width=4)
    training = ROWS


class TestNCF(ModelContract):
    model = NCF(width=4, layers=(8, 4))
    training = ROWS


class TestTensorFactorisation(ModelContract):
    model = TensorFactorisation(width=4)
    training = ROWS


class TestTensorTrain(ModelContract):
    model = TensorFactorisation(width=3, form="train")
    training = ROWS


class TestDCNv2(ModelContract):
    model = DCNv2(width=4, crosses=2, layers=(8,))
    training = ROWS


class TestDeepMF(ModelContract):
    model = DeepMF(layers=(8, 4))
    training = ROWS


class TestDeepMFOfRatings(ModelContract):
    model = DeepMF(layers=(8, 4))
    training = TrainingOptions(epochs=2, batch=64, warmup=2, heads={"rating": 1.0}, rating_loss="bce")


def test_every_model_has_a_contract() -> None:
    held = {type(contract.model).__name__ for contract in ModelContract.__subclasses__()}
    assert set(exported(models, Model)) <= held
