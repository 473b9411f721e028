from __future__ import annotations

from pathlib import Path

import pytest

from germane.config import Config
from germane.errors import ConfigError
from germane.models import ContextTransformer, ItemNeighbours

GOOD = """
seed = 3
[data]
events = "events.csv"
[data.columns]
user = "user"
item = "item"
[model]
use = "ContextTransformer"
width = 32
"""


def write(folder: Path, text: str) -> Path:
    path = folder / "c.toml"
    path.write_text(text)
    return path


def test_parts_are_made(tmp_path: Path) -> None:
    config = Config.read(write(tmp_path, GOOD))
    assert isinstance(config.model, ContextTransformer) and config.model.options.width == 32
    assert config.seed == 3 and config.policy.settings() == {}


def test_set_changes_any_key(tmp_path: Path) -> None:
    config = Config.read(write(tmp_path, GOOD.replace("width = 32\n", "")), ["model.use=ItemNeighbours", "model.neighbours=5", "seed=9"])
    assert isinstance(config.model, ItemNeighbours) and config.model.options.neighbours == 5 and config.seed == 9
    assert "neighbours = 5" in config.dump()


def test_all_faults_at_once(tmp_path: Path) -> None:
    text = GOOD.replace("width = 32", "widht = 32") + '[training]\nepochs = 0\n[polcy]\nuse = "Greedy"\n[split]\nuse = "ByTme"\n'
    with pytest.raises(ConfigError) as caught:
        Config.read(write(tmp_path, text))
    said = "\n".join(caught.value.faults)
    assert "Did you mean width?" in said and "epochs" in said and "Did you mean policy?" in said and "Did you mean ByTime?" in said
    assert len(caught.value.faults) == 4


def test_no_file_and_no_toml(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="not a config"):
        Config.read(tmp_path / "ghost.toml")
    with pytest.raises(ConfigError, match="not TOML"):
        Config.read(write(tmp_path, "seed = ["))


@pytest.mark.parametrize("path", sorted(Path(__file__).parents[1].glob("configs/*.toml")), ids=lambda p: p.stem)
def test_every_shipped_config_loads(path: Path) -> None:
    assert Config.read(path).sections
