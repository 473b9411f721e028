from __future__ import annotations

import polars as pl
import pytest
from torch.nn import functional

from germane.data import Dataset, NoSplit
from germane.encoders import Encoder, HashedText, NoText, Whitening
from germane.errors import AbilityError, ConfigError
from germane.jobs.train import fit
from germane.models import ContentNeighbours
from germane.recommender import Recommender
from germane.training import TrainingOptions
from germane.types import Query

EVENTS = {"user": ["a", "b"], "item": ["v", "w"]}
WORDLESS = pl.DataFrame({"item": ["v", "w"], "title": pl.Series([None, None], dtype=pl.String)})


def test_cosines_by_hand(tiny) -> None:
    asked = tiny(ContentNeighbours(fade=0.5))
    texts = asked.shop.content.text
    z = Whitening.fit(texts[:3], 32).transform(texts)  # on the three that somebody took
    assert list(asked.scores(["v"]).values()) == pytest.approx((z @ z[0]).tolist(), abs=1e-5)
    taste = functional.normalize(0.25 * z[2] + 0.5 * z[2] + z[0], dim=0)
    assert list(asked.scores(["x", "x", "v"]).values()) == pytest.approx((z @ taste).tolist(), abs=1e-5)
    assert set(asked.scores([]).values()) == {0}


def test_a_new_item_is_scored_by_its_text(tiny) -> None:
    asked = tiny(ContentNeighbours())
    asked.shop.add_items(pl.DataFrame({"item": ["like v", "like x", "wordless"], "title": ["red boots", "blue hat", None]}))
    slate = asked.shop.recommend(Query(history=("v",), candidates=("like v", "like x", "wordless")), n=3)
    found = {place.item: place.score for place in slate.items}
    assert found["like v"] == pytest.approx(1, abs=1e-5) and found["like v"] > found["like x"]
    assert found["wordless"] == 0
    assert [reason.kind for reason in slate.items[0].reasons] == ["content"]
    assert asked.shop.similar("v", n=1)[0][0] == "like v"


@pytest.mark.parametrize(("text", "columns"), [(NoText(), {"text": ["title"]}), (HashedText(), {})])
def test_without_texts_it_is_refused_before_anything_is_encoded(text: Encoder, columns: dict[str, object], monkeypatch: pytest.MonkeyPatch) -> None:
    dataset = Dataset.from_frames(EVENTS, WORDLESS, columns=columns)
    monkeypatch.setattr(Recommender, "prepare", lambda *_: pytest.fail("too late"))
    with pytest.raises(AbilityError, match=r"ContentNeighbours compares the texts of items and finds none: name them in \[data.columns\] text"):
        fit(Recommender(ContentNeighbours(), text=text), dataset, NoSplit().divide(dataset), TrainingOptions())


def test_items_without_a_word_are_refused() -> None:
    dataset = Dataset.from_frames(EVENTS, WORDLESS, columns={"text": ["title"]})
    with pytest.raises(AbilityError, match="finds none"):
        fit(Recommender(ContentNeighbours(), text=HashedText()), dataset, NoSplit().divide(dataset), TrainingOptions())


def test_the_width_is_at_most_the_encoders(tiny) -> None:
    assert tiny(ContentNeighbours(text_width=500)).model.state()["vectors"].shape == (4, 32)
    assert tiny(ContentNeighbours(text_width=2)).model.state()["vectors"].shape == (4, 2)


@pytest.mark.parametrize("wrong", [{"fade": 0}, {"text_width": 0}])
def test_options_out_of_range(wrong: dict[str, float]) -> None:
    with pytest.raises(ConfigError, match=f"ContentNeighbours option {next(iter(wrong))}"):
        ContentNeighbours(**wrong)
