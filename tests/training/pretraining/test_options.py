from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from germane.config import Config
from germane.errors import ConfigError
from germane.training.pretraining import PretrainingOptions


def test_rates_and_steps() -> None:
    said = PretrainingOptions()
    assert said.rate("masked_words") == said.rate("causal_words") == 5e-5 and said.rate("contrastive") == 2e-5
    assert PretrainingOptions(learning_rate=1e-3).rate("contrastive") == 1e-3
    assert said.total(10) == 30 and PretrainingOptions(steps=7).total(10) == 7
    assert said.between(10) == 10 and said.between(10_000) == 250 and PretrainingOptions(look=3).between(10) == 3


@pytest.mark.parametrize(
    ("section", "says"),
    [
        ({"objectiv": "contrastive"}, "Did you mean objective?"),
        ({"objective": "sentences"}, "'masked_words', 'causal_words' or 'contrastive'"),
        ({"held_out": 0.0}, "held_out = 0.0"),
        ({"batch": 1}, "batch = 1"),
        ({"pairs": []}, "name one at least"),
        ({"pairs": ["before"]}, "'next_item', 'words' or 'views'"),
        ({"mask_share": 1.0}, "mask_share = 1.0"),
        ({"temperature": 0}, "temperature = 0"),
    ],
)
def test_faults_are_told_with_those_of_the_rest(section: dict[str, Any], says: str) -> None:
    with pytest.raises(ConfigError) as told:
        Config.of({"data": {"events": "e.csv"}, "pretraining": section, "model": {"use": "Populr"}}, Path())
    assert any(says in fault and "[pretraining]" in fault for fault in told.value.faults) and "Did you mean Popular?" in str(told.value)
