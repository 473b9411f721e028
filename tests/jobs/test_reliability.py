from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import polars as pl
import pytest

from germane import cli
from germane.errors import AbilityError, ConfigError, DataError
from germane.jobs.reliability import draw, shown, write_reliability
from germane.jobs.run import evaluate_run, train_run
from germane.metrics import ece

CONFIG = """
[data]
events = "events.csv"
[data.columns]
user = "user"
item = "item"
label = "clicked"
[split]
use = "Random"
validation = 0.2
test = 0.3
[model]
use = "BiasedMF"
width = 4
[training]
heads = {click = 1.0}
calibrate = "platt"
epochs = 4
batch = 128
learning_rate = 0.02
[evaluation]
k = []
variants = []
"""


@pytest.fixture(scope="module")
def clicks(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run that was shown 2,000 pairs, of which those of one parity were clicked more often."""
    folder = tmp_path_factory.mktemp("clicks")
    rng = np.random.default_rng(0)
    users, items = rng.integers(0, 30, 2000), rng.integers(0, 20, 2000)
    clicked = rng.random(2000) < np.where(users % 2 == items % 2, 0.7, 0.2)
    pl.DataFrame({"user": users, "item": items, "clicked": clicked.astype(int)}).write_csv(folder / "events.csv")
    (folder / "clicks.toml").write_text(CONFIG)
    train_run(folder / "clicks.toml", folder / "run")
    return folder


def pairs(p: np.ndarray, seed: int = 0) -> pl.DataFrame:
    """Rows whose true chance is the one stated, and one without a label."""
    labels = (np.random.default_rng(seed).random(len(p)) < p).astype(float)
    return pl.DataFrame({"label": [*labels.tolist(), None], "probability": [*p.tolist(), 0.5]})


def test_figures_are_those_of_the_judging(clicks: Path, tmp_path: Path) -> None:
    judged = evaluate_run(clicks / "run", reliability=tmp_path / "new" / "r.json")
    told = json.loads((tmp_path / "new" / "r.json").read_text())
    assert (told["name"], told["split"], told["calibration"], told["n"]) == ("BiasedMF", "test", "platt", 600)
    assert told["ece"] == judged.rows[0]["metrics"]["ece"]["value"]
    assert sum(one["count"] for one in told["bins"]) == sum(told["histogram"]["counts"]) + told["histogram"]["above"] == 600
    assert sum(one["count"] * one["share"] for one in told["bins"]) == pytest.approx(600 * told["share"])
    assert all(one["low"] <= one["share"] <= one["high"] for one in told["bins"])


def test_the_command_draws_it(clicks: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(sys, "argv", ["germane", "evaluate", str(clicks / "run"), "--split", "validation", "--reliability", str(tmp_path / "r.svg")])
    with pytest.raises(SystemExit) as left:
        cli.main()
    assert left.value.code == 0 and str(tmp_path / "r.svg") in capsys.readouterr().out
    texts = "\n".join(ElementTree.parse(tmp_path / "r.svg").getroot().itertext())
    assert "BiasedMF, platt: ECE 0.0" in texts and "400 rows of the validation part" in texts
    assert "share taken" in texts and "predicted probability" in texts


@pytest.mark.parametrize("form", ["svg", "png"])
def test_the_same_figures_are_the_same_file(form: str, tmp_path: Path) -> None:
    told = shown(pairs(np.linspace(0.01, 0.99, 400)), name="Mine", part="test")
    for name in ("a", "b"):
        write_reliability(told, tmp_path / f"{name}.{form}")
    data = (tmp_path / f"a.{form}").read_bytes()
    assert data == (tmp_path / f"b.{form}").read_bytes()
    assert data.startswith(b"\x89PNG" if form == "png" else b"<?xml")


def test_marks_and_bars_stand_where_the_figures_say() -> None:
    told = shown(pairs(np.linspace(0.01, 0.99, 400)), name="Mine", part="test")
    shares, rows = draw(told).axes
    diagonal, marks = shares.lines[:2]
    assert np.array_equal(*diagonal.get_data())
    np.testing.assert_allclose(marks.get_xydata(), [[one["predicted"], one["share"]] for one in told["bins"]])
    (ends,) = (part.get_segments() for part in shares.collections)
    np.testing.assert_allclose([segment[:, 1] for segment in ends], [[one["low"], one["high"]] for one in told["bins"]])
    np.testing.assert_array_equal(rows.patches[0].get_data().values, told["histogram"]["counts"])
    assert shares.get_title(loc="left") == f"Mine: ECE {told['ece']:.3f}" and shares.get_xlim() == shares.get_ylim() == rows.get_xlim() == (0, 1)


def test_rare_clicks_fill_the_diagram() -> None:
    p = np.append(np.random.default_rng(0).beta(1, 60, 4999), 0.9)
    told = shown(pairs(p), name="Mine", part="test")
    end = told["histogram"]["edges"][-1]
    assert max(one["high"] for one in told["bins"]) <= end < 0.2
    assert told["histogram"]["above"] == int((p > end).sum()) > 0 and told["ece"] == ece(p, pairs(p)["label"][:-1])
    assert "lie above" in draw(told).axes[1].get_xlabel()


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("p", [[0.3, 0.3], [1e-9, 1.0], [0.0, 0.0, 1.0]])
def test_few_and_extreme_rows_are_drawn_too(p: list[float], tmp_path: Path) -> None:
    frame = pl.DataFrame({"label": [0.0] * (len(p) - 1) + [1.0], "probability": p})
    write_reliability(shown(frame, name="Mine", part="test"), tmp_path / "r.png")
    assert (tmp_path / "r.png").stat().st_size > 5_000


def test_what_cannot_be_drawn_is_refused_before_judging(clicks: Path, run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def judges(*given: object, **options: object) -> None:
        pytest.fail("was judged")

    with monkeypatch.context() as patch:
        patch.setattr("germane.jobs.run._judge", judges)
        with pytest.raises(AbilityError, match=r"shows a click head, and this ContextTransformer was trained for ranking: ask for heads"):
            evaluate_run(run, reliability=tmp_path / "r.svg")
        with pytest.raises(ConfigError, match=r"ends in \.pgn: a reliability diagram ends in \.svg, \.png, \.json\. Did you mean \.png\?"):
            evaluate_run(clicks / "run", reliability=tmp_path / "r.pgn")
        (tmp_path / "folder.svg").mkdir()
        with pytest.raises(ConfigError, match="is a folder"):
            evaluate_run(clicks / "run", reliability=tmp_path / "folder.svg")
        (clicks / "last.toml").write_text(CONFIG.replace('"Random"\nvalidation = 0.2\ntest = 0.3', '"LeaveLastOut"'))
        with pytest.raises(DataError, match=r"of the \d+ rows of the test part \d+ have the label 1 and 0 the label 0"):
            evaluate_run(clicks / "run", config=clicks / "last.toml", reliability=tmp_path / "r.svg")
        patch.setattr("germane.jobs.reliability.find_spec", lambda name: None)
        with pytest.raises(AbilityError, match=r"matplotlib, which is not installed: pip install 'germane\[plots\]', or name a \.json"):
            evaluate_run(clicks / "run", reliability=tmp_path / "r.svg")
    monkeypatch.setattr("germane.jobs.reliability.find_spec", lambda name: None)
    evaluate_run(clicks / "run", reliability=tmp_path / "r.json")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["folder.svg", "r.json"]


def test_matplotlib_is_imported_late() -> None:
    code = "import germane.cli, germane.jobs.run, sys; print('matplotlib' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.strip() == "False"
