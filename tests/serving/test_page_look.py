"""How the page looks to those who need it otherwise: contrast, forced colours, long names."""

from __future__ import annotations

import pytest

CONTRASTS = """() => {
  const light = (colour) => {
    const [r, g, b] = colour.match(/[\\d.]+/g).slice(0, 3).map((c) => (c / 255 <= 0.03928 ? c / 255 / 12.92 : ((c / 255 + 0.055) / 1.055) ** 2.4));
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const ratio = (one, other) => {
    const [low, high] = [light(one), light(other)].sort((a, b) => a - b);
    return (high + 0.05) / (low + 0.05);
  };
  const style = (selector) => getComputedStyle(document.querySelector(selector));
  const rules = [...document.styleSheets].flatMap((sheet) => [...sheet.cssRules]);
  const kinds = rules.map((rule) => /^\\[data-kind="?(\\w+)"?\\]$/.exec(rule.selectorText ?? "")?.[1]);
  const found = {};
  const probe = document.createElement("i");
  document.querySelector(".bar").append(probe);
  for (const kind of kinds.filter(Boolean)) {
    probe.dataset.kind = kind;
    found[kind] = ratio(getComputedStyle(probe).backgroundColor, style(".bar").backgroundColor);
  }
  probe.remove();
  const field = style("#user");
  found["field on the panel"] = ratio(field.borderColor, style(".panel").backgroundColor);
  found["field inside"] = ratio(field.borderColor, field.backgroundColor);
  return found;
}"""
"""Of each kind of bar with what it lies on, and of a field's border with what is on both of its sides."""


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_bars_and_fields_stand_out(browser, address, scheme: str) -> None:
    """3:1, as WCAG 2.1 asks of what is no text (1.4.11)."""
    page = browser.new_page(color_scheme=scheme)
    page.goto(address)
    page.locator(".item").first.wait_for()
    found = page.evaluate(CONTRASTS)
    page.close()
    assert len(found) == 13 and not {name: ratio for name, ratio in found.items() if ratio < 3}


def test_bars_keep_their_colours_where_colours_are_forced(browser, address) -> None:
    page = browser.new_page(forced_colors="active")
    page.goto(address)
    page.locator(".item").first.wait_for()
    bar = page.locator(".bar i[data-kind=popularity]").first.evaluate("part => getComputedStyle(part).backgroundColor")
    square = page.locator("#legend li").first.evaluate("item => getComputedStyle(item, '::before').backgroundColor")
    paper = page.evaluate("getComputedStyle(document.body).backgroundColor")
    page.close()
    assert bar == square != paper


def test_a_long_name_stays_in_its_column(browser, address, recommender) -> None:
    long = {"name": "customerAcquisitionChannelOfTheVeryFirstVisit", "type": "category", "values": [{"value": "ad", "count": 1}]}
    told = recommender.moments()
    recommender.moments = lambda: {**told, "columns": [long, *told["columns"]]}
    page = browser.new_page(viewport={"width": 360, "height": 740})
    page.goto(address)
    page.locator(".item").first.wait_for()
    widths = page.locator(".context label").evaluate_all("labels => labels.map((label) => [label.scrollWidth, label.clientWidth])")
    ends = page.locator(".context select").evaluate_all("fields => fields.slice(0, 2).map((field) => field.getBoundingClientRect().bottom)")
    page.close()
    assert all(needed <= there for needed, there in widths) and ends[0] == ends[1], "fields that stand side by side stand on one line"
