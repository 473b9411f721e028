from __future__ import annotations

import numpy as np
import pytest
import torch

from germane.data.augmentation import AugmentOptions
from germane.encoders import HashedText, NoText
from germane.errors import ConfigError
from germane.jobs.lessons import likeness_for
from germane.models import ContextTransformer, SASRec
from germane.recommender import Recommender
from germane.testing.model_contract import small_shop


def test_texts_tell_which_items_are_alike_or_else_the_model_as_it_stands() -> None:
    insert = AugmentOptions(insert=0.5)
    codes, rng = np.arange(4), np.random.default_rng
    with_texts = Recommender(ContextTransformer(width=8), text=HashedText(width=8))
    with_texts.prepare(small_shop())
    by_texts = likeness_for(insert, with_texts.model, with_texts.content)  # type: ignore[arg-type]
    assert by_texts is not None and by_texts() is by_texts()
    model = SASRec(width=8)
    without = Recommender(model, text=NoText())
    without.prepare(small_shop())
    by_model = likeness_for(insert, model, without.content)
    assert by_model is not None
    model.train()
    first = by_model()(codes, rng(0))
    assert model.training
    with torch.no_grad():
        model.items.weight.normal_()
    assert (by_model()(codes, rng(0)) != first).any()
    assert likeness_for(AugmentOptions(mask=0.5), model, without.content) is None and likeness_for(None, model, without.content) is None


def test_without_texts_a_model_has_to_tell(monkeypatch: pytest.MonkeyPatch) -> None:
    model = SASRec(width=8)
    without = Recommender(model, text=NoText())
    without.prepare(small_shop())
    monkeypatch.setattr(SASRec, "likeness", lambda self: None)
    alike = likeness_for(AugmentOptions(insert=0.5), model, without.content)
    assert alike is not None
    with pytest.raises(ConfigError, match="SASRec does not tell which items are alike"):
        alike()
