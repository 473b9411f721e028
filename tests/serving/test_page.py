"""The page in a real browser."""

from __future__ import annotations

from collections.abc import Iterator

import pytest


@pytest.fixture
def page(browser, address) -> Iterator[object]:
    context = browser.new_context(viewport={"width": 1280, "height": 900})
    opened = context.new_page()
    said: list[str] = []
    outside: list[str] = []
    opened.on("pageerror", lambda error: said.append(str(error)))
    opened.on("console", lambda message: said.append(message.text) if message.type == "error" else None)
    opened.on("request", lambda request: outside.append(request.url) if not request.url.startswith(address) else None)
    opened.goto(address)
    opened.locator(".item").first.wait_for()
    yield opened
    assert said == [], "nothing on the console, no refusal by the content security policy"
    assert outside == [], "no outside address"
    context.close()


SCORE_AND_BAR = """items => items.map(item => {
  const zero = parseFloat(item.querySelector(".zero").style.left);
  const parts = [...item.querySelectorAll(".bar i[data-kind]")].map(part => [parseFloat(part.style.left), parseFloat(part.style.width)]);
  const net = parts.reduce((sum, [left, width]) => sum + (left + 1e-6 < zero ? -width : width), 0);
  return [Number(item.querySelector(".score").textContent), net];
})"""


def titles(page) -> list[str]:
    return page.locator(".item .title b").all_inner_texts()


def settle(page, act) -> None:
    """Do something, and wait for the answer to it to be shown."""
    with page.expect_response(lambda response: response.url.endswith("/v1/recommendations")):
        act()
    page.locator("#list[aria-busy=false]").wait_for()


def test_the_list_follows_the_moment(page) -> None:
    assert titles(page)[0] == "Rain Man"
    settle(page, lambda: page.get_by_label("weather").select_option(label="sun"))
    assert titles(page)[0] == "Top Hat"
    settle(page, lambda: page.get_by_label("In their words").fill("goldfinger"))
    assert titles(page)[0] == "Goldfinger"
    first = page.locator(".item").first
    assert first.get_attribute("aria-label").startswith("1. Goldfinger. Score 10: words 10")
    assert first.locator(".bar i[data-kind=words]").count() == 1
    assert page.locator("#legend li").all_inner_texts() == ["moment", "words", "popularity"]
    assert "Goldfinger" in page.get_by_role("status").inner_text()


def test_a_user_is_picked_and_what_is_clicked_changes_the_next_list(page) -> None:
    settle(page, lambda: page.get_by_label("Who").fill("u1"))
    assert page.locator("#history .what").all_inner_texts() == ["Rain Man"]
    assert "Rain Man" not in titles(page)
    with page.expect_response(lambda response: response.url.endswith("/v1/events")) as sent:
        settle(page, lambda: page.get_by_role("button", name="Top Hat").click())
    assert sent.value.status == 201
    assert page.locator("#history .what").all_inner_texts() == ["Top Hat", "Rain Man"]
    assert "Top Hat" not in titles(page)


def test_a_visitor_without_a_name_has_a_history_too(page) -> None:
    settle(page, lambda: page.get_by_role("button", name="Goldfinger").click())
    assert page.locator("#history .what").all_inner_texts() == ["Goldfinger"]
    assert "Goldfinger" not in titles(page)
    settle(page, lambda: page.get_by_role("button", name="Clear").click())
    assert page.locator("#history .what").count() == 0 and "Goldfinger" in titles(page)


def test_the_example_fills_the_form(page) -> None:
    settle(page, lambda: page.get_by_role("button", name="Example").click())
    assert page.get_by_label("Who").input_value() == "u1"
    assert page.get_by_label("When").input_value() == "2026-05-01T21:00"


def test_it_works_with_the_keyboard_alone(page) -> None:
    page.get_by_label("Who").focus()
    settle(page, lambda: page.keyboard.type("u2"))
    for _ in range(20):
        page.keyboard.press("Tab")
        if page.evaluate("document.activeElement.className") == "item":
            break
    chosen = page.evaluate("document.activeElement.querySelector('b').textContent")
    with page.expect_response(lambda response: response.url.endswith("/v1/events")):
        settle(page, lambda: page.keyboard.press("Enter"))
    assert page.locator("#history .what").first.inner_text() == chosen
    assert page.evaluate("document.activeElement.className") == "item", "the focus stays in the list"
    assert page.evaluate("[...document.querySelectorAll('input, select')].every((field) => field.labels.length)"), "every field has a label"


def test_every_kind_of_reason_is_drawn(page, recommender) -> None:
    parts = {"history": 1.0, "taste": 2.0, "usual": -1.5, "new": 3.0, "ranker": 0.5, "weather": 0.25, "luck": 0.25}
    recommender._parts = lambda row, query: {kind: weight * (2 if row["id"] == "i3" else 1) for kind, weight in parts.items()}
    settle(page, lambda: page.get_by_label("weather").select_option(label="sun"))
    assert page.locator("#legend li").all_inner_texts() == ["history", "taste", "new items", "second model", "the usual", "other"]
    first = page.locator(".item").first
    told = "history 2, taste 4, the usual -3, new items 6, second model 1, other 0.5, other 0.5"
    assert first.get_attribute("aria-label") == f"1. Stalker. Score 11: {told}. Choose it."
    scores, nets = zip(*page.locator(".item").evaluate_all(SCORE_AND_BAR), strict=True)
    scale = nets[0] / scores[0]
    assert list(nets) == pytest.approx([score * scale for score in scores], rel=1e-4), (
        "what is drawn right of the line less what is left of it is the score"
    )
    tints = page.locator("#legend li").evaluate_all("items => items.map(item => getComputedStyle(item, '::before').backgroundColor)")
    assert len(set(tints)) == len(tints) == 6 and "rgba(0, 0, 0, 0)" not in tints


def test_what_is_unknown_is_said(page) -> None:
    settle(page, lambda: page.get_by_label("Who").fill("<img src=x onerror=alert(1)>"))
    assert "<img src=x onerror=alert(1)>" in page.locator("#notes").inner_text(), "data is text"


def test_dark_mode_and_a_phone(browser, address) -> None:
    context = browser.new_context(viewport={"width": 390, "height": 844}, color_scheme="dark", is_mobile=True)
    page = context.new_page()
    page.goto(address)
    page.locator(".item").first.wait_for()
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(18, 23, 22)"
    assert page.evaluate("document.documentElement.scrollWidth") <= 390, "nothing to scroll sideways"
    assert page.locator(".item").first.bounding_box()["width"] > 300
    context.close()


def test_the_api_is_described_for_people(browser, address) -> None:
    page = browser.new_page()
    page.goto(f"{address}/docs")
    page.locator("details").first.wait_for()
    page.get_by_text("The best items for one moment").click()
    assert page.get_by_text("What the user typed.").first.is_visible()
    assert page.locator("details").count() == 20
    page.close()
