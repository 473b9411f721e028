from __future__ import annotations

import pytest

from germane.training import TrainingOptions
from germane.training.schedules import rate_at


@pytest.mark.parametrize(
    ("schedule", "rates"), [("constant", [0.5, 1.0, 1.0, 1.0, 1.0]), ("linear", [0.5, 1.0, 1.0, 0.75, 0.5]), ("cosine", [0.5, 1.0, 1.0, 0.8536, 0.5])]
)
def test_it_rises_and_then_follows_its_schedule(schedule: str, rates: list[float]) -> None:
    options = TrainingOptions(learning_rate=1.0, warmup=2, schedule=schedule, epochs=3)  # type: ignore[arg-type]
    assert [rate_at(options, step, 2) for step in range(5)] == pytest.approx(rates, abs=1e-4)
    assert rate_at(options, 100, 2) == pytest.approx(rates[0] * 2 if schedule == "constant" else 0.0)  # random cuts may make more steps than foreseen
