"""The report in a real browser."""

from __future__ import annotations

from pathlib import Path

import pytest

from germane.jobs.compare import compare


@pytest.fixture(scope="module")
def address(pair: tuple[Path, Path], tmp_path_factory: pytest.TempPathFactory) -> str:
    out = tmp_path_factory.mktemp("page") / "report.html"
    compare(pair, out)
    return out.as_uri()


@pytest.mark.parametrize(("width", "scheme"), [(1280, "light"), (390, "dark")])
def test_it_fits_and_asks_nobody(browser, address: str, width: int, scheme: str) -> None:
    context = browser.new_context(viewport={"width": width, "height": 844}, color_scheme=scheme)
    page = context.new_page()
    said: list[str] = []
    asked: list[str] = []
    page.on("console", lambda message: said.append(message.text))
    page.on("request", lambda request: asked.append(request.url))
    page.goto(address)
    assert page.locator(".lead").inner_text().startswith("after is better than before")
    assert page.evaluate("document.documentElement.scrollWidth") <= width, "nothing sticks out; wide tables scroll by themselves"
    red, green, blue = page.evaluate("getComputedStyle(document.body).backgroundColor.match(/\\d+/g).map(Number)")
    assert (red + green + blue > 380) == (scheme == "light")
    assert page.locator("section").count() == 8 and page.locator("section .lists ol").count() >= 4
    assert page.locator("svg[role=img]").count() == 3 and page.get_by_role("table").count() >= 5
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.textContent") == "To the figures"
    page.keyboard.press("Enter")
    assert page.url.endswith("#quality")
    assert asked[0] == address and all(url.startswith(address) for url in asked) and said == []
    context.close()
