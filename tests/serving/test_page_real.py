"""The page over a trained recommender: a number, a context of many values, typed words, and why."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest

from germane.data import Dataset
from germane.encoders import HashedText
from germane.jobs.train import train
from germane.models import ContextTransformer
from germane.recommender import Recommender
from germane.training import TrainingOptions

from .test_page import settle, titles

CITIES = 30


@pytest.fixture(scope="module")
def recommender() -> Recommender:
    """Odd items are taken in the cold, in odd cities, and by those who type their name; each of the three is said half of the time."""
    rng = np.random.default_rng(0)
    rows = []
    for event in range(3000):
        half = int(rng.integers(2))
        said = rng.random(3) < 0.5
        rows.append(
            {
                "user": f"u{rng.integers(40)}",
                "item": f"i{2 * rng.integers(12) + half}",
                "time": 1_700_000_000.0 + 3600 * event,
                "degrees": float(rng.normal(0 if half else 24, 2)) if said[0] else None,
                "city": f"city {2 * rng.integers(CITIES // 2) + half}" if said[1] else None,
                "typed": ("umbrella" if half else "sunscreen") if said[2] else None,
            }
        )
    items = pl.DataFrame({"item": [f"i{n}" for n in range(24)], "title": [f"{'umbrella' if n % 2 else 'sunscreen'} number{n}" for n in range(24)]})
    columns = {"time": "time", "context": ["degrees", "city"], "text": ["title"], "words": "typed"}
    shop = Recommender(ContextTransformer(width=16, blocks=1, length=8, text_width=8), text=HashedText(width=32), exclude_seen=False, seed=1)
    return train(
        shop,
        Dataset.from_frames(pl.DataFrame(rows), items, columns=columns),
        training=TrainingOptions(epochs=12, batch=8, learning_rate=0.02, warmup=2),
    )


@pytest.mark.parametrize(("width", "scheme"), [(1280, "light"), (390, "dark")])
def test_a_trained_model_follows_each_part_of_the_moment(browser, address, width: int, scheme: str) -> None:
    context = browser.new_context(viewport={"width": width, "height": 844}, color_scheme=scheme, is_mobile=width < 500)
    page = context.new_page()
    said: list[str] = []
    page.on("pageerror", lambda error: said.append(str(error)))
    page.on("console", lambda message: said.append(message.text) if message.type == "error" else None)
    page.goto(address)
    page.locator(".item").first.wait_for()
    assert len(titles(page)) == 10

    degrees, city, words = page.get_by_label("degrees"), page.get_by_label("city"), page.get_by_label("In their words")
    assert degrees.get_attribute("type") == "number" and " to " in degrees.get_attribute("placeholder")
    assert page.locator(f"datalist#{city.get_attribute('list')} option").count() == CITIES > 24

    def share(name: str) -> float:
        return np.mean([title.startswith(name) for title in titles(page)])

    for field, cold, warm, kind in (
        (degrees, "-1", "25", "moment"),
        (city, "city 11", "city 10", "moment"),
        (words, "umbrella", "sunscreen", "words"),
    ):
        for value, name in ((cold, "umbrella"), (warm, "sunscreen")):
            settle(page, lambda field=field, value=value: field.fill(value))
            assert share(name) >= 0.9, (value, titles(page))
            assert page.locator(f"#legend li[data-kind={kind}]").count() == 1
            assert page.locator(f".item .bar i[data-kind={kind}]").count() >= 1
        assert page.locator("#notes li").count() == 0
        settle(page, lambda field=field: field.fill(""))
    with page.expect_request("**/v1/recommendations") as asked:
        settle(page, lambda: degrees.fill("25"))
    assert asked.value.post_data_json["context"] == {"degrees": 25}, "a number is sent as one"
    settle(page, lambda: degrees.fill(""))
    settle(page, lambda: city.fill("nowhere"))
    assert "nowhere" in page.locator("#notes").inner_text()

    settle(page, lambda: page.locator(".item").first.click())
    assert page.locator("#history .what").count() == 1
    assert all(page.locator(".item .because").all_inner_texts()) and page.locator("#legend li[data-kind=history]").count() == 1
    assert page.evaluate("document.documentElement.scrollWidth") <= width, "nothing to scroll sideways"
    dark = page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(18, 23, 22)"
    assert dark == (scheme == "dark") and said == []
    context.close()
