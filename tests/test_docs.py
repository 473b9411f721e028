"""Every Python block of the README and of docs/ runs, and every command that they name exists."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
BLOCK = re.compile(r"```python\n(.*?)```", re.DOTALL)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_python_blocks_run(page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("GERMANE_CACHE", str(tmp_path / "cache"))
    scope: dict[str, object] = {"__name__": "page"}
    for block in BLOCK.findall(page.read_text(encoding="utf-8")):
        exec(compile(block, str(page), "exec"), scope)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_commands_exist(page: Path) -> None:
    from germane.cli import app

    known = {info.name or info.callback.__name__ for info in app.registered_commands if info.callback} | {g.name for g in app.registered_groups}
    named = set(re.findall(r"^germane ([a-z]+)", page.read_text(encoding="utf-8"), re.MULTILINE))
    assert named <= known
