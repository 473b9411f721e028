"""The shape of the code: imports point one way, a file holds one idea, importing is quick, what is exported is tested."""

from __future__ import annotations

import ast
import inspect
import subprocess
import sys
import tomllib
from pathlib import Path
from types import ModuleType

import pytest

import germane
from germane import data, encoders, features, models, policies
from germane.component import Component, exported
from germane.data import Splitter
from germane.encoders import Encoder
from germane.features import Feature
from germane.models import Model, rankers
from germane.models.rankers import Ranker
from germane.policies import Policy

ROOT = Path(__file__).parents[1]
SOURCE = ROOT / "src" / "germane"
FILES = sorted(SOURCE.rglob("*.py"))

LONG = {"recommender.py": 400, "store/sql.py": 380, "wire.py": 360}
"""Files that are longer than 350 lines for a reason: one class or one closed set of forms, whose parts mean nothing alone."""


def short(path: Path) -> str:
    return path.relative_to(SOURCE).as_posix()


def test_imports_point_one_way() -> None:
    found = subprocess.run([Path(sys.executable).with_name("lint-imports"), "--no-cache"], cwd=ROOT, capture_output=True, text=True, check=False)
    assert found.returncode == 0, found.stdout[-3000:]


def test_every_module_stands_on_the_ladder() -> None:
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"]
    rungs = {name.strip() for layer in contracts[0]["layers"] for name in layer.split("|")}
    assert rungs == {
        path.stem if path.is_file() else path.name for path in SOURCE.iterdir() if path.suffix == ".py" or (path / "__init__.py").exists()
    } - {"__init__"}


@pytest.mark.parametrize("path", FILES, ids=short)
def test_a_file_holds_one_idea(path: Path) -> None:
    lines = len(path.read_text().splitlines())
    assert lines <= LONG.get(short(path), 350), f"{short(path)} has {lines} lines: what in it is an idea of its own?"
    assert lines > 350 or short(path) not in LONG, f"{short(path)} is short again: take it out of LONG."
    assert not {"util", "utils", "misc", "helpers", "common", "core"} & {part.removesuffix(".py") for part in path.relative_to(SOURCE).parts}
    assert path.stem == "__init__" or ast.get_docstring(ast.parse(path.read_text())), "a file says what it is for"


@pytest.mark.parametrize(
    ("statement", "absent"),
    [
        ("import germane", ("torch", "transformers", "polars", "litestar", "sqlalchemy", "typer")),
        ("import germane.cli", ("torch", "transformers", "polars", "litestar", "sqlalchemy")),
        ("import germane.client", ("torch", "transformers", "polars", "litestar", "sqlalchemy")),
        ("import germane.data", ("torch", "transformers", "litestar", "sqlalchemy")),
        ("import germane.bundle", ("transformers", "litestar", "sqlalchemy")),
    ],
)
def test_heavy_imports_are_late(statement: str, absent: tuple[str, ...]) -> None:
    code = f"{statement}\nimport sys\nprint([name for name in {absent!r} if name in sys.modules])"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "[]"


def test_the_names_that_users_need() -> None:
    for name in germane.__all__:
        assert getattr(germane, name) is not None
    assert set(germane.__all__) <= set(dir(germane))
    with pytest.raises(AttributeError, match="no attribute 'recomend'"):
        germane.recomend  # noqa: B018


REGISTRIES: list[tuple[ModuleType, type, str]] = [
    (encoders, Encoder, "EncoderContract"),
    (features, Feature, "FeatureContract"),
    (models, Model, "ModelContract"),
    (policies, Policy, "PolicyContract"),
    (rankers, Ranker, "RankerContract"),
]


@pytest.mark.parametrize(("package", "base", "contract"), REGISTRIES, ids=lambda given: getattr(given, "__name__", given))
def test_what_is_exported_is_held_to_its_contract(package: ModuleType, base: type, contract: str) -> None:
    """By a test class that inherits the contract and makes the part: ``encoder = HashedText(...)``."""
    held: set[str] = set()
    for path in (ROOT / "tests").rglob("test_*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.ClassDef) and contract in {ast.unparse(parent).rpartition(".")[2] for parent in node.bases}:
                held |= {inner.func.id for inner in ast.walk(node) if isinstance(inner, ast.Call) and isinstance(inner.func, ast.Name)}
                held |= {inner.id for inner in ast.walk(node) if isinstance(inner, ast.Name)}
    assert set(exported(package, base)) - held == set()


@pytest.mark.parametrize(("package", "base"), [*((package, base) for package, base, _ in REGISTRIES), (data, Splitter)])
def test_every_part_and_option_says_what_it_is(package: ModuleType, base: type) -> None:
    for name, part in exported(package, base).items():
        assert inspect.getdoc(part), name
        assert issubclass(part, Component) and part.option_class.model_config.get("extra") == "forbid", name
