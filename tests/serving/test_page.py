"""The page in a real browser."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from germane.data.columns import Columns
from germane.types import Event


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
    assert first.get_attribute("aria-label").startswith("1. Goldfinger (007). Score 10: words 10")
    assert first.locator(".bar i[data-kind=words]").count() == 1
    assert page.locator("#legend li").all_inner_texts() == ["moment", "words", "popularity"]
    assert "Goldfinger" in page.get_by_role("status").inner_text()


def test_a_user_is_picked_and_what_is_clicked_changes_the_next_list(page) -> None:
    settle(page, lambda: page.get_by_label("Who").fill("u1"))
    assert page.locator("#history .what b").all_inner_texts() == ["Rain Man"]
    assert "Rain Man" not in titles(page)
    with page.expect_response(lambda response: response.url.endswith("/v1/events")) as sent:
        settle(page, lambda: page.get_by_role("button", name="Top Hat").click())
    assert sent.value.status == 201
    assert page.locator("#history .what b").all_inner_texts() == ["Top Hat", "Rain Man"]
    assert "Top Hat" not in titles(page)


def test_a_visitor_without_a_name_has_a_history_too(page) -> None:
    settle(page, lambda: page.get_by_role("button", name="Goldfinger").click())
    assert page.locator("#history .what b").all_inner_texts() == ["Goldfinger"]
    assert "Goldfinger" not in titles(page)
    settle(page, lambda: page.get_by_role("button", name="Clear").click())
    assert page.locator("#history .what b").count() == 0 and "Goldfinger" in titles(page)


def events_of(store, user: str) -> list[tuple[str, str | None]]:
    return [(event.item, event.kind) for event in store.events_of(user)]


def test_a_choice_is_an_event_of_a_kind_of_this_shop_with_an_id(page, recommender, store) -> None:
    """Whatever the user did last: here the kind is watched, and u1 bought."""
    recommender.record("u1", Event("i1", recommender.newest, "buy"))
    settle(page, lambda: page.get_by_label("Who").fill("u1"))
    with page.expect_request("**/v1/events") as sent:
        settle(page, lambda: page.get_by_role("button", name="Top Hat").click())
    (event,) = sent.value.post_data_json["events"]
    assert event["kind"] == "watched" and event["event_id"] == f"{event['recommendation_id']}/i2"
    assert events_of(store, "u1") == [("i2", "watched")]
    recommender.moments = lambda told=recommender.moments: {**told(), "kind": None}
    page.reload()
    page.locator(".item").first.wait_for()
    settle(page, lambda: page.get_by_label("Who").fill("u1"))
    settle(page, lambda: page.get_by_role("button", name="Stalker").click())
    assert events_of(store, "u1")[1:] == [("i3", None)], "where events have no kinds this one has none"


def test_two_clicks_are_one_choice(page, store) -> None:
    settle(page, lambda: page.get_by_label("Who").fill("u1"))
    settle(page, lambda: page.get_by_role("button", name="Top Hat").dblclick())
    held = []
    page.route("**/v1/events", lambda route: held.append(route))
    with page.expect_request("**/v1/events"):
        page.get_by_role("button", name="Stalker").click()
    page.get_by_role("button", name="Playtime").click()
    settle(page, lambda: held[0].continue_())
    assert len(held) == 1 and events_of(store, "u1") == [("i2", "watched"), ("i3", "watched")]


def test_a_choice_belongs_to_the_list_on_the_screen(page, store) -> None:
    """Also where the form asks for somebody else already."""
    settle(page, lambda: page.get_by_label("Who").fill("u1"))
    held = []
    page.route("**/v1/recommendations", lambda route: held.append(route))
    with page.expect_request("**/v1/recommendations"):
        page.get_by_label("Who").fill("u2")
    with page.expect_request("**/v1/events") as sent:
        page.get_by_role("button", name="Stalker").click()
    (event,) = sent.value.post_data_json["events"]
    assert event["user"] == "u1" and store.recommendation(event["recommendation_id"])["user"] == "u1"
    page.unroute("**/v1/recommendations")
    settle(page, lambda: page.get_by_label("weather").select_option(label="sun"))
    assert events_of(store, "u1") == [("i3", "watched")] and events_of(store, "u2") == []


def test_ids_are_shown_and_taken_as_they_are(page, store) -> None:
    assert page.locator(".item .id").all_inner_texts() == ["i1", "i2", "i3", "007", "ä/β"]
    settle(page, lambda: page.get_by_label("Who").fill(" u1 "))
    settle(page, lambda: page.get_by_role("button", name="Top Hat").click())
    assert events_of(store, " u1 ") == [("i2", "watched")] and events_of(store, "u1") == []
    assert page.locator("#history .what").all_inner_texts() == ["Top Hat i2"]


def test_items_without_texts_are_called_by_their_ids(page, recommender) -> None:
    recommender.columns = Columns(context=("weather", "temperature"), side=("genre",))
    page.reload()
    page.locator(".item").first.wait_for()
    assert titles(page) == ["i1", "i2", "i3", "007", "ä/β"] and page.locator(".item .id").count() == 0
    assert page.locator(".item").first.get_attribute("aria-label").startswith("1. i1. Score")


def test_a_service_that_is_gone_is_said_in_one_sentence(browser, address) -> None:
    page = browser.new_page()
    page.goto(address)
    settle(page, lambda: page.get_by_label("Who").fill("u1"))
    page.route("**/v1/**", lambda route: route.abort("connectionrefused"))
    said = []
    for act in (lambda: page.get_by_role("button", name="Top Hat").click(), lambda: page.get_by_label("weather").select_option(label="sun")):
        with page.expect_event("requestfailed"):
            act()
        page.locator("#problem:not([hidden])").wait_for()
        said.append(page.locator("#problem").inner_text())
    assert said == ["The service does not answer. Is it running?"] * 2
    page.close()


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
    assert page.locator("#history .what b").first.inner_text() == chosen
    assert page.evaluate("document.activeElement.className") == "item", "the focus stays in the list"
    assert page.evaluate("[...document.querySelectorAll('input, select')].every((field) => field.labels.length)"), "every field has a label"


def test_a_key_that_is_held_down_is_one_choice(page) -> None:
    settle(page, lambda: page.get_by_label("Who").fill("u1"))
    page.evaluate("window.clicks = 0; document.getElementById('list').addEventListener('click', () => { window.clicks += 1; })")
    page.locator(".item").first.focus()
    settle(page, lambda: page.keyboard.down("Enter"))
    for _ in range(3):  # as the system repeats it
        page.keyboard.down("Enter")
    assert page.evaluate("[window.clicks, document.activeElement.className]") == [1, "item"]
    page.keyboard.up("Enter")
    settle(page, lambda: page.keyboard.press("Enter"))
    assert page.evaluate("window.clicks") == 2


def test_every_kind_of_reason_is_drawn(page, recommender) -> None:
    parts = {"history": 1.0, "taste": 2.0, "usual": -1.5, "new": 3.0, "ranker": 0.5, "weather": 0.25, "luck": 0.25}
    recommender._parts = lambda row, query: {kind: weight * (2 if row["id"] == "i3" else 1) for kind, weight in parts.items()}
    settle(page, lambda: page.get_by_label("weather").select_option(label="sun"))
    assert page.locator("#legend li").all_inner_texts() == ["history", "taste", "new items", "second model", "the usual", "other"]
    first = page.locator(".item").first
    told = "history 2, taste 4, the usual -3, new items 6, second model 1, other 0.5, other 0.5"
    assert first.get_attribute("aria-label") == f"1. Stalker (i3). Score 11: {told}. Choose it."
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
    assert page.locator("h1").all_text_contents() == ["Germane API"]
    page.close()
