"""Calibration: known answers on arrays, and the whole way from training to a saved run."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.isotonic import IsotonicRegression
from torch import Tensor

import germane
from germane.batches import QueryBatch
from germane.calibration import KINDS, Isotonic, Platt, Temperature, read
from germane.component import Options
from germane.config import Config
from germane.data import Dataset, LeaveLastOut, NoSplit, Random, Split
from germane.encoders import ItemContent
from germane.errors import AbilityError, ConfigError, DataError, RunError, TrainingError
from germane.evaluation import EvaluationOptions
from germane.features import FeatureSet
from germane.jobs.check import check
from germane.jobs.run import evaluate_run, train_run
from germane.jobs.score import score_file
from germane.jobs.train import fit, judge
from germane.metrics import auc, ece, log_loss
from germane.models import Abilities, BiasedMF, ContextTransformer, Counted, Popular
from germane.recommender import Recommender
from germane.training import TrainingOptions

CLICKS = EvaluationOptions(k=())


def sigmoid(x: Any) -> np.ndarray:
    return 1 / (1 + np.exp(-np.asarray(x)))


def happened(logits: np.ndarray, seed: int = 0) -> np.ndarray:
    """Labels whose true chance is the sigmoid."""
    return (np.random.default_rng(seed).random(len(logits)) < sigmoid(logits)).astype(float)


# -- arrays ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("temperature", [0.4, 1.0, 3.0])
def test_a_known_temperature_is_found(temperature: float) -> None:
    truth = np.random.default_rng(1).normal(-1, 2, 20_000)
    y, stated = happened(truth), temperature * truth
    for part in (Temperature.fit(stated, y), Platt.fit(stated, y)):
        assert (part.temperature if isinstance(part, Temperature) else 1 / part.slope) == pytest.approx(temperature, rel=0.04)
        after = part(torch.from_numpy(stated)).numpy()
        assert ece(after, y) < 0.012 and auc(after, y) == auc(stated, y)
        if temperature != 1:
            assert ece(sigmoid(stated), y) > 0.04 and log_loss(after, y) < log_loss(sigmoid(stated), y)


def test_a_shifted_share_of_positives_is_found_by_platt() -> None:
    """As where training drew its negatives: every logit is too high by a constant."""
    truth = np.random.default_rng(2).normal(-3, 1.5, 20_000)
    y = happened(truth)
    part = Platt.fit(2 * truth + 4, y)
    assert part.slope == pytest.approx(0.5, rel=0.05) and part.shift == pytest.approx(-2, abs=0.1)
    stated = torch.from_numpy(2 * truth + 4)
    assert ece(part(stated), y) < 0.01 < 0.1 < ece(Temperature.fit(stated, y)(stated), y)


@pytest.mark.parametrize("decimals", [1, 16])  # with many ties, without
def test_isotonic_is_scikit_learns(decimals: int) -> None:
    rng = np.random.default_rng(3)
    stated = rng.normal(-1, 2, 5000).round(decimals)
    y = happened(np.sin(stated) * 2 + stated)
    part, theirs = Isotonic.fit(stated, y), IsotonicRegression(out_of_bounds="clip").fit(sigmoid(stated), y)
    least = 1 / 5002
    ours = part(torch.from_numpy(stated)).numpy()
    np.testing.assert_allclose(ours, theirs.predict(sigmoid(stated)).clip(least, 1 - least), atol=1e-9)
    assert ece(ours, y) < 1e-9 + least  # each level stretch says its own share
    outside = part(torch.tensor([-50.0, 50.0]))
    assert outside.tolist() == pytest.approx([part.to[0], part.to[-1]])


def test_between_corners_isotonic_is_straight() -> None:
    part = Isotonic(at=(0.2, 0.4, 0.8), to=(0.1, 0.1, 0.5))
    stated = torch.tensor([0.0, 0.2, 0.3, 0.6, 0.8, 1.0], dtype=torch.float64)
    assert part(stated.logit()).tolist() == pytest.approx([0.1, 0.1, 0.1, 0.3, 0.5, 0.5])


rows = st.lists(st.tuples(st.floats(-30, 30), st.booleans()), min_size=2, max_size=30).filter(lambda rows: len({label for _, label in rows}) == 2)


@settings(deadline=None, max_examples=60)
@given(rows, st.sampled_from(sorted(KINDS)))
def test_every_map_is_monotone_inside_and_comes_back(rows: list[tuple[float, bool]], kind: str) -> None:
    """Also of few rows, of rows told apart wholly, and of rows that say the reverse of the model."""
    part = KINDS[kind].fit([x for x, _ in rows], [y for _, y in rows])
    asked = torch.linspace(-30, 30, 301, dtype=torch.float32).reshape(7, 43)
    told = part(asked)
    assert told.shape == asked.shape and told.dtype == torch.float64
    assert (told.flatten().diff() >= 0).all() and (told >= 0).all() and (told <= 1).all()
    again = read(json.loads(json.dumps(part.model_dump(mode="json"))))
    assert again == part and torch.equal(again(asked), told)


def test_rows_told_apart_do_not_make_certain() -> None:
    for part in (kind.fit([-2.0, -1.0, 1.0, 2.0], [0, 0, 1, 1]) for kind in KINDS.values()):
        told = part(torch.tensor([-2.0, 2.0]))
        assert 0.05 < told[0] < 0.35 and 0.65 < told[1] < 0.95


@pytest.mark.parametrize("kind", sorted(KINDS))
@pytest.mark.parametrize(
    ("logits", "labels", "said"),
    [
        ([1.0, 2.0], [1, 1], "of 2 labels 2 are 1"),
        ([], [], "of 0 labels"),
        ([1.0, np.inf], [0, 1], "1 of 2 logits are infinite"),
        ([1.0, np.nan], [0, 1], "NaN"),
        ([1.0], [0, 1], "1 logits against 2 labels"),
        ([1.0, 2.0], [0, 2], "labels are 0 or 1"),
    ],
)
def test_arrays_that_say_nothing(kind: str, logits: list[float], labels: list[int], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        KINDS[kind].fit(logits, labels)


@pytest.mark.parametrize(
    ("damaged", "said"),
    [
        ({"kind": "plat", "slope": 1}, "kinds are platt, isotonic, temperature. Did you mean platt?"),
        ([], "a calibration of the kind"),
        ({"kind": "platt", "slope": -1.0, "shift": 0.0}, "slope = -1.0: should be greater than 0"),
        ({"kind": "platt", "slope": float("nan"), "shift": 0.0}, "slope"),
        ({"kind": "platt", "slope": 1.0}, "needs the option 'shift'"),
        ({"kind": "platt", "slope": 1.0, "shift": "much"}, "shift"),
        ({"kind": "platt", "slope": 1.0, "shift": 0.0, "shfit": 1.0}, "no option 'shfit'"),
        ({"kind": "temperature", "temperature": 0}, "greater than 0"),
        ({"kind": "isotonic", "at": [0.5, 0.2], "to": [0.1, 0.2]}, "should ascend"),
        ({"kind": "isotonic", "at": [0.2, 1.5], "to": [0.1, 0.2]}, "should ascend within 0 and 1"),
        ({"kind": "isotonic", "at": [0.2, 0.5], "to": [0.3, 0.2]}, "should never fall"),
        ({"kind": "isotonic", "at": [0.2, 0.5], "to": [0.0, 0.2]}, "should never fall, between 0 and 1"),
        ({"kind": "isotonic", "at": [0.2, 0.5], "to": [0.1]}, "one value for each of the 2"),
        ({"kind": "isotonic", "at": [], "to": []}, "at"),
    ],
)
def test_damaged_values(damaged: Any, said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        read(damaged)


# -- a model -----------------------------------------------------------------------------------------------------

TOO_SURE = 3.0


class ClaimsOptions(Options):
    wrong: float = TOO_SURE
    """What the true logit is multiplied by."""


class Claims(Counted):
    """Knows the true logit of every pair (``truth``) and states ``wrong`` times it."""

    options: ClaimsOptions
    abilities = Abilities(gives=frozenset({"click", "ranking"}))

    def prepare(self, dataset: Dataset, content: ItemContent, features: FeatureSet) -> None:
        users = [int(name[1:]) for name in dataset.users["id"]]
        items = [int(name[1:]) for name in dataset.items["id"]]
        self.table = torch.from_numpy(truth(np.array(users)[:, None], np.array(items)[None])).float()

    def fit(self, dataset: Dataset) -> None: ...

    def score(self, queries: QueryBatch, items: Tensor | None = None) -> Tensor:
        whole = self.table[queries.users.clamp(min=0)]
        return whole if items is None else whole[:, items] if items.ndim == 1 else whole.gather(1, items)

    def clicks(self, queries: QueryBatch, items: Tensor) -> Tensor:
        return self.options.wrong * self.score(queries, items)

    def state(self) -> dict[str, Tensor]:
        return {}

    def load_state(self, state: dict[str, Tensor]) -> None: ...


def truth(users: np.ndarray, items: np.ndarray) -> np.ndarray:
    """The true logit of a click."""
    return np.sin(users * 1.7) * 1.5 + np.cos(items * 2.3) - 0.8


def world(seed: int = 0, n: int = 12_000, unlabelled: int = 0, **columns: str) -> Dataset:
    """What 60 users were shown of 40 items, clicked with the true chance; the first rows may lack their label."""
    rng = np.random.default_rng(seed)
    users, items = rng.integers(0, 60, n), rng.integers(0, 40, n)
    labels = happened(truth(users, items), seed).astype(int)
    known = [None] * unlabelled + labels[unlabelled:].tolist()
    frame = {"user": [f"u{u}" for u in users], "item": [f"i{i}" for i in items], "label": known, "stars": 1 + items % 5}
    return Dataset.from_frames(frame, columns={"label": "label", **columns})


def fitted(kind: str | None, dataset: Dataset, model: Any = None, **more: Any) -> Recommender:
    recommender = Recommender(model or Claims(), exclude_seen=False)
    training = TrainingOptions(heads={"click": 1.0}, calibrate=kind, **more)
    fit(recommender, dataset, Random(validation=0.3, test=0.3).divide(dataset), training, evaluation=CLICKS)
    return recommender


def test_a_model_that_is_too_sure_of_itself() -> None:
    dataset = world()
    split = Random(validation=0.3, test=0.3).divide(dataset)
    figures = {kind: judge(fitted(kind, dataset), dataset, split, CLICKS).rows[0]["metrics"] for kind in (None, *KINDS)}
    raw = figures.pop(None)
    assert raw["ece"]["value"] > 0.1
    for kind, after in figures.items():
        assert after["ece"]["value"] < 0.3 * raw["ece"]["value"] and after["log_loss"]["value"] < raw["log_loss"]["value"], kind
        assert after["auc"]["value"] == pytest.approx(raw["auc"]["value"], abs=0.01 if kind == "isotonic" else 0)
    found = fitted("temperature", dataset).model.calibration
    assert isinstance(found, Temperature) and found.temperature == pytest.approx(TOO_SURE, rel=0.1)


def test_rows_without_a_label_are_left_out() -> None:
    part = fitted("temperature", world(unlabelled=4000)).model.calibration
    assert isinstance(part, Temperature) and part.temperature == pytest.approx(TOO_SURE, rel=0.12)


def test_all_that_states_a_click_states_the_calibrated_one() -> None:
    dataset = world()
    raw, recommender = fitted(None, dataset), fitted("platt", dataset)
    pairs = pl.DataFrame({"user": ["u1", "u2", "u3"], "item": ["i1", "i2", "ghost"]})
    before, after = raw.score(pairs), recommender.score(pairs)
    part = recommender.model.calibration
    assert isinstance(part, Platt) and np.isnan(after[2])
    expected = sigmoid(part.slope * TOO_SURE * truth(np.array([1, 2]), np.array([1, 2])) + part.shift)
    assert after[:2] == pytest.approx(expected, abs=1e-6) and np.abs(after - before)[:2].max() > 0.05
    np.testing.assert_array_equal(recommender.score(pairs, "click"), after)
    batch = recommender.batch([germane.Query(user="u1")])
    assert float(recommender.model.predict(batch, torch.tensor([[dataset.items["id"].index_of("i1")]]), "click")) == pytest.approx(after[0])


def test_training_may_draw_its_negatives() -> None:
    """As Frappe's files: training knows only what was taken, held-out parts hold both labels. A drawn negative a positive says a half too often."""
    dataset = world()
    whole = Random(validation=0.3, test=0.3).divide(dataset)
    taken = dataset.events["label"].gather(whole.train).to_numpy() == 1
    split = Split(whole.train[taken], whole.validation, whole.test, "given")
    figures = {}
    for kind in (None, "platt"):
        recommender = Recommender(BiasedMF(width=4), exclude_seen=False)
        training = TrainingOptions(heads={"click": 1.0}, negatives=1, calibrate=kind, epochs=4, batch=256, learning_rate=0.02, warmup=0)
        fit(recommender, dataset, split, training, evaluation=CLICKS)
        figures[kind] = judge(recommender, dataset, split, CLICKS).rows[0]["metrics"]
    assert figures["platt"]["ece"]["value"] < 0.05 < 0.1 < figures[None]["ece"]["value"]
    assert figures["platt"]["auc"] == figures[None]["auc"]


def test_fitting_again_without_it_forgets_it() -> None:
    dataset = world(n=2000)
    recommender = fitted("platt", dataset)
    fit(recommender, dataset, Random(validation=0.3, test=0.3).divide(dataset), TrainingOptions(heads={"click": 1.0}), evaluation=CLICKS)
    assert recommender.model.calibration is None


def test_a_rating_beside_it_is_left_alone() -> None:
    rated, told = world(n=1500, value="stars"), {}
    for kind in (None, "platt"):
        recommender = Recommender(ContextTransformer(width=8, blocks=1, length=5), exclude_seen=False)
        training = TrainingOptions(heads={"click": 1.0, "rating": 1.0}, calibrate=kind, epochs=1, batch=16)
        fit(recommender, rated, Random(validation=0.3, test=0.3).divide(rated), training, evaluation=CLICKS)
        recommender.remember(rated)
        pairs = pl.DataFrame({"user": ["u1", "u2"], "item": ["i1", "i2"]})
        told[kind] = {head: recommender.score(pairs, head) for head in ("click", "rating")}
    np.testing.assert_array_equal(told[None]["rating"], told["platt"]["rating"])
    assert (told[None]["click"] != told["platt"]["click"]).all()


# -- a run -------------------------------------------------------------------------------------------------------

CONFIG = """
[data]
events = "events.csv"
[data.columns]
user = "user"
item = "item"
label = "label"
[split]
use = "Random"
validation = 0.3
test = 0.2
[model]
use = "BiasedMF"
width = 8
[training]
heads = {click = 1.0}
calibrate = "platt"
epochs = 6
batch = 256
learning_rate = 0.02
[evaluation]
k = []
variants = []
baselines = ["FactorisationMachine"]
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A config with its data, and a run of it for each kind."""
    folder = tmp_path_factory.mktemp("clicks")
    dataset = world(n=4000)
    users, items = dataset.users["id"].gather(dataset.events["user"]), dataset.items["id"].gather(dataset.events["item"])
    pl.DataFrame({"user": users, "item": items, "label": dataset.events["label"]}).write_csv(folder / "events.csv")
    (folder / "clicks.toml").write_text(CONFIG)
    for kind in KINDS:
        train_run(folder / "clicks.toml", folder / kind, sets=[f"training.calibrate={kind}"])
    (folder / "none.toml").write_text(CONFIG.replace('calibrate = "platt"', ""))
    train_run(folder / "none.toml", folder / "none")
    return folder


@pytest.mark.parametrize("kind", sorted(KINDS))
def test_a_run_keeps_it(kind: str, folder: Path, tmp_path: Path) -> None:
    said = json.loads((folder / kind / "vocabulary.json").read_text())["calibration"]
    assert said["kind"] == kind
    loaded = germane.load(folder / kind)
    assert loaded.model.calibration == read(said)
    rows = evaluate_run(folder / kind).rows
    assert "FactorisationMachine" in {row["name"] for row in rows}
    figures, raw = rows[0]["metrics"], json.loads((folder / "none" / "metrics.json").read_text())["rows"][0]["metrics"]
    assert figures["log_loss"]["value"] < raw["log_loss"]["value"] and figures["ece"]["value"] < raw["ece"]["value"]
    assert figures["auc"]["value"] == pytest.approx(raw["auc"]["value"], abs=0.01 if kind == "isotonic" else 0)
    (tmp_path / "p.csv").write_text("user,item\nu1,i1\nu2,i2\n")
    score_file(folder / kind, tmp_path / "p.csv", tmp_path / "s.csv")
    scored = pl.read_csv(tmp_path / "s.csv")
    loaded.model.calibration = None
    raw = loaded.score(pl.read_csv(tmp_path / "p.csv"))
    expected = read(said)(torch.from_numpy(raw).logit())
    np.testing.assert_allclose(scored["score"].to_numpy(), expected.numpy(), atol=1e-6)
    assert np.abs(scored["score"].to_numpy() - raw).max() > 1e-3
    germane.save(loaded, tmp_path / "again")
    assert germane.load(tmp_path / "again").model.calibration is None


def test_refit_keeps_the_map_of_validation(folder: Path, tmp_path: Path) -> None:
    train_run(folder / "clicks.toml", tmp_path / "again", sets=["training.refit=true"])
    one, other = germane.load(folder / "platt").model, germane.load(tmp_path / "again").model
    assert one.calibration == other.calibration and one.calibration is not None
    assert any(not torch.equal(one.state()[name], tensor) for name, tensor in other.state().items())


def damage(folder: Path, run: Path, calibration: object) -> Path:
    """A copy whose files agree with their hashes, and whose map is not one."""
    import hashlib
    import shutil

    shutil.copytree(folder / "platt", run)
    said = json.loads((run / "vocabulary.json").read_text())
    said.pop("calibration")
    (run / "vocabulary.json").write_text(json.dumps(said if calibration == "older" else said | {"calibration": calibration}))
    about = json.loads((run / "about.json").read_text())
    about["files"]["vocabulary.json"] = hashlib.sha256((run / "vocabulary.json").read_bytes()).hexdigest()
    (run / "about.json").write_text(json.dumps(about))
    return run


def test_a_run_with_damaged_values_is_refused_and_an_older_one_is_read(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(RunError, match=r"vocabulary\.json cannot be read: calibration option slope = -2: should be greater than 0"):
        germane.load(damage(folder, tmp_path / "a", {"kind": "platt", "slope": -2, "shift": 0}))
    with pytest.raises(RunError, match="kinds are platt"):
        germane.load(damage(folder, tmp_path / "b", "platt"))
    assert germane.load(damage(folder, tmp_path / "c", "older")).model.calibration is None


# -- what is refused ---------------------------------------------------------------------------------------------


def test_a_model_without_a_click_head_is_refused() -> None:
    for model, heads in ((Popular(), None), (ContextTransformer(), {"ranking": 1.0, "rating": 1.0})):
        with pytest.raises(ConfigError, match=r"calibrate = 'platt' maps what a click head states, and .* ask for heads = \{click = 1\.0\}"):
            TrainingOptions(heads=heads, calibrate="platt").objective(model)
    suited = TrainingOptions(heads={"click": 1.0}, calibrate="platt")
    assert suited.suited(Popular()).calibrate is None and suited.suited(BiasedMF()).calibrate == "platt"
    with pytest.raises(ConfigError, match=r"\[training\] option calibrate = 'plat': should be 'platt', 'isotonic' or 'temperature'"):
        Config.of({"data": {"events": "none.csv"}, "training": {"calibrate": "plat"}}, Path())
    with pytest.raises(ConfigError, match="Popular is to learn ranking only"):
        Config.of({"data": {"events": "none.csv"}, "model": {"use": "Popular"}, "training": {"calibrate": "platt"}}, Path())


def test_check_says_so_without_training(folder: Path) -> None:
    config = folder / "clicks.toml"
    assert check(config, timed=False).config.training.calibrate == "platt"
    with pytest.raises(DataError, match="needs validation rows with both labels"):
        check(config, sets=["split={}", "split.use=LeaveLastOut"], timed=False)


class Untrained(Claims):
    def fit(self, dataset: Dataset) -> None:
        pytest.fail("was trained")


@pytest.mark.parametrize("kind", sorted(KINDS))
def test_what_cannot_be_fitted_is_refused_before_training(kind: Any) -> None:
    dataset, taken = world(n=500), world(n=500).taken()
    unlabelled = Dataset.from_frames({"user": list("aabb") * 9, "item": list("xyzxyyzzx") * 4})
    training = TrainingOptions(heads={"click": 1.0}, calibrate=kind)
    for data, split, error, said in (
        (dataset, NoSplit(), ConfigError, "holds none out: give it a validation part"),
        (taken, Random(validation=0.3, test=0.3), DataError, r"of \d+ rows \d+ have the label 1 and 0 the label 0"),
        (dataset, LeaveLastOut(), DataError, r"and 0 the label 0: name the column"),
        (unlabelled, Random(validation=0.3, test=0.3), DataError, r"0 have the label 1 and 0 the label 0"),
    ):
        with pytest.raises(error, match=said):
            fit(Recommender(Untrained()), data, split.divide(data), training, evaluation=CLICKS)


def test_isotonic_names_what_it_lacks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("germane.calibration.find_spec", lambda name: None)
    dataset = world(n=500)
    split = Random(validation=0.3, test=0.3).divide(dataset)
    with pytest.raises(AbilityError, match=r"scipy, which is not installed: pip install 'germane\[calibration\]'"):
        fit(Recommender(Untrained()), dataset, split, TrainingOptions(heads={"click": 1.0}, calibrate="isotonic"), evaluation=CLICKS)
    assert fitted("platt", dataset).model.calibration is not None  # the others need nothing


def test_a_saved_curve_needs_scipy_no_more(folder: Path) -> None:
    import subprocess

    code = f"""
import sys
class Without:
    def find_spec(self, name, path=None, target=None):
        if name.partition('.')[0] == 'scipy':
            raise ModuleNotFoundError(name)
sys.meta_path.insert(0, Without())
import germane, polars as pl
print(germane.load({str(folder / "isotonic")!r}).score(pl.DataFrame({{'user': ['u1'], 'item': ['i1']}}))[0])
"""
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert told.returncode == 0 and 0 < float(told.stdout) < 1, told.stderr[-500:]


def test_a_model_that_states_no_numbers_is_told() -> None:
    with pytest.raises(TrainingError, match=r"states .* validation clicks as no number"):
        fitted("platt", world(n=500), Claims(wrong=1e38 * 10))
