"""Documents tell the truth: their Python runs, their commands exist and run, their links lead somewhere, no option or command is left out."""

from __future__ import annotations

import importlib
import importlib.util
import json
import pkgutil
import re
import shlex
import sys
import tomllib
from pathlib import Path

import pytest
import typer

import germane
from germane import cli
from germane.component import Options
from germane.config import SECTIONS

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", ROOT / "ARCHITECTURE.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md"))]
BLOCK = re.compile(r"```(\w*)\n(.*?)```", re.DOTALL)


def blocks(page: Path, *languages: str) -> list[tuple[str, str]]:
    return [(language, text) for language, text in BLOCK.findall(page.read_text(encoding="utf-8")) if language in languages]


def commands(page: Path) -> list[list[str]]:
    """Lines that begin with ``germane`` in shell blocks, as words."""
    lines = [line for _, text in blocks(page, "sh", "bash", "console") for line in text.splitlines()]
    return [shlex.split(line, comments=True) for line in lines if line.startswith("germane ")]


@pytest.fixture
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("GERMANE_CACHE", str(tmp_path / "cache"))
    return tmp_path


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_python_blocks_run(page: Path, elsewhere: Path, capsys: pytest.CaptureFixture[str]) -> None:
    scope: dict[str, object] = {"__name__": "page"}
    for _, block in blocks(page, "python"):
        exec(compile(block, str(page), "exec"), scope)
    if page.name == "README.md":  # a table, and not that there is nothing to judge
        assert re.search(r"^ContextTransformer +as trained +all +8 ", capsys.readouterr().out, re.MULTILINE)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_toml_blocks_are_toml_with_known_sections(page: Path) -> None:
    for _, block in blocks(page, "toml"):
        assert set(tomllib.loads(block)) <= set(SECTIONS)


def test_the_quickstart_runs_from_top_to_bottom(elsewhere: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As it stands, but for the download: texts are hashed, epochs are few, and nothing is served."""
    small = ["--set", "text.use=HashedText", "--set", "model.width=8", "--set", "training.epochs=1"]
    scope: dict[str, object] = {"__name__": "page"}
    ran = []
    for language, block in blocks(ROOT / "docs" / "quickstart.md", "python", "bash"):
        if language == "python":
            exec(block, scope)
            continue
        for line in block.splitlines():
            words = shlex.split(line)[1:]
            if words[0] == "serve":
                continue
            monkeypatch.setattr(sys, "argv", ["germane", *words, *(small if words[0] in ("check", "train") else [])])
            with pytest.raises(SystemExit) as left:
                cli.main()
            assert left.value.code == 0, line
            ran.append(words[0])
    assert ran == ["init", "check", "train", "describe", "recommend", "recommend", "recommend"]
    said = tomllib.loads((elsewhere / "shop.toml").read_text())["data"]["columns"]
    assert said["user"] == "viewer" and said["item"] == "film" and said["context"] == ["weather", "device", "company"] and "title" in said["text"]


def known_commands() -> dict[str, object]:
    group = typer.main.get_command(cli.app)
    found: dict[str, object] = {}
    for name, command in group.commands.items():  # type: ignore[attr-defined]
        inner = getattr(command, "commands", None)
        found |= {f"{name} {sub}": part for sub, part in inner.items()} if inner else {name: command}
    return found


def options_of(command: object) -> set[str]:
    return {name for parameter in command.params for name in parameter.opts if name.startswith("-")} - {"--help"}  # type: ignore[attr-defined]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_commands_exist_with_their_options(page: Path) -> None:
    known = known_commands()
    for words in commands(page):
        name = next((name for name in (" ".join(words[1:3]), words[1]) if name in known), None)
        assert name is not None, words
        assert {word.partition("=")[0] for word in words if re.match(r"--?[a-z]", word)} <= options_of(known[name]), words


@pytest.mark.parametrize("name", sorted(known_commands()))
def test_every_command_and_option_is_documented(name: str) -> None:
    page = (ROOT / "docs" / "commands.md").read_text(encoding="utf-8")
    assert f"`germane {name}" in page
    for option in options_of(known_commands()[name]):
        assert re.search(rf"(?<![\w-]){re.escape(option)}(?![\w-])", page), f"{name} {option}"


def script(name: str, folder: str = "scripts"):  # type: ignore[no-untyped-def]
    spec = importlib.util.spec_from_file_location(name, ROOT / folder / f"{name}.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_page_of_options_is_the_codes() -> None:
    assert (ROOT / "docs" / "options.md").read_text(encoding="utf-8") == script("document_options").page(), "run python scripts/document_options.py"


def test_the_figures_of_pages_are_those_of_the_benchmarks() -> None:
    written = script("document_figures")
    for path in written.PAGES:
        assert path.read_text(encoding="utf-8") == written.page(path), f"{path.name}: run python scripts/document_figures.py"


def test_the_figures_of_the_counted_models_are_those_of_the_benchmark() -> None:
    page = (ROOT / "docs" / "models.md").read_text(encoding="utf-8")
    trials = json.loads((ROOT / "benchmarks" / "results" / "classics_tuning.json").read_text())["trials"]
    for name in sorted({trial["model"] for trial in trials}):
        cells = []
        for protocol in ("by-time", "leave-last-out"):
            own = [trial for trial in trials if (trial["protocol"], trial["model"]) == (protocol, name)]
            values = [f"{trial['validation_ndcg@10']:.3f}".removeprefix("0") for trial in own]
            cells += [values[0], values[1] if "fade" in own[0]["options"] else "", max(values)]
            assert script("classics_tuning", "benchmarks").trials(name) == [{k: v for k, v in one["options"].items() if k != "use"} for one in own]
        assert f"| `{name}` | {' | '.join(cells)} |" in page, name


def test_the_demo_takes_what_tuning_chose() -> None:
    from germane.jobs.demo import CHOSEN

    chosen = json.loads((ROOT / "benchmarks" / "results" / "demo_tuning.json").read_text())["choice"]
    for protocol, models in chosen.items():
        for name, choice in models.items():
            options = {key: value for key, value in choice["options"].items() if key not in ("use", "learning_rate")}
            assert CHOSEN[protocol][name] == options, f"{protocol}: {name}"
        own = models["ContextTransformer"]
        training = {key: value for key, value in own["options"].items() if key == "learning_rate"}
        assert CHOSEN[protocol]["training"] == {"epochs": own["epochs"], **training}


def every_options_class() -> list[type[Options]]:
    for module in pkgutil.walk_packages(germane.__path__, "germane."):
        importlib.import_module(module.name)
    found, waiting = [], [Options]
    while waiting:
        waiting += (inner := [kind for kind in waiting.pop().__subclasses__() if kind.__module__.startswith("germane.")])
        found += inner
    return sorted(found, key=lambda kind: kind.__qualname__)


@pytest.mark.parametrize("options", every_options_class(), ids=lambda options: options.__name__)
def test_every_option_has_its_docstring(options: type[Options]) -> None:
    assert [name for name, field in options.model_fields.items() if not field.description] == []


@pytest.mark.parametrize(
    "page", [*PAGES, *(ROOT / f"{name}.md" for name in ("BENCHMARKS", "CHANGELOG", "LOG", "SECURITY"))], ids=lambda page: page.name
)
def test_links_lead_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\(([^)#]+)[^)]*\)", BLOCK.sub("", page.read_text(encoding="utf-8"))):
        assert target.startswith("https://") or (page.parent / target).exists(), target


def test_every_page_is_in_the_index() -> None:
    index = (ROOT / "docs" / "index.md").read_text(encoding="utf-8")
    assert [page.name for page in (ROOT / "docs").glob("*.md") if page.name != "index.md" and f"({page.name})" not in index] == []


def test_the_tree_names_what_there_is() -> None:
    source = ROOT / "src" / "germane"
    there = {path.name + "/" * path.is_dir() for path in source.iterdir() if not path.name.startswith("_") and path.suffix in ("", ".py")}
    tree = re.search(r"src/germane/\n(.*?)```", (ROOT / "ARCHITECTURE.md").read_text(encoding="utf-8"), re.DOTALL)
    assert tree is not None and set(re.findall(r"^  (\S+)", tree[1], re.MULTILINE)) == there
    short = re.search(r"src/germane/\n(.*?)```", (ROOT / "README.md").read_text(encoding="utf-8"), re.DOTALL)
    assert short is not None and set(re.findall(r"([a-z_]+(?:/|\.py)) ", short[1])) <= there


def test_the_readmes_two_commands() -> None:
    readme, makefile, ci = (path.read_text(encoding="utf-8") for path in (ROOT / "README.md", ROOT / "Makefile", ROOT / ".ci" / "run"))
    for name in ("demo", "test"):
        assert f"make {name}" in readme and f"make {name}" in ci and re.search(rf"^{name}:", makefile, re.MULTILINE)
