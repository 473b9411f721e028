"""A trained recommender is a folder: ``save`` writes it whole or not at all, ``load`` refuses what is not whole. No pickle anywhere."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable, Mapping
from dataclasses import asdict
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import tomli_w
import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file

from . import calibration, encoders, models, policies, times
from .component import build, named, section
from .config import read_toml
from .data import Columns, Dataset, Rules
from .encoders import Encoder, ItemContent, Spelling
from .errors import ConfigError, GermaneError, RunError
from .features import FeatureSet, Moments
from .histories import Histories
from .losses import Objective
from .models import Model
from .paths import moved, stands_in
from .policies import Policy
from .recommender import Recommender
from .seal import FORMAT, as_json, check, known, metrics_file, read_json, seal
from .types import Event
from .writing import check_place, shared, whole_folder

__all__ = ["FORMAT", "load", "read_json", "save"]

OWN = ("format", "germane", "created", "config_sha256", "seed", "place", "parameters", "files", "versions")
"""What ``about.json`` says of the run itself."""
TOLD = (
    *("data", "seconds", "peak_mb", "peak_mb_of_one", "epochs", "curve"),
    *("processes", "device", "precision", "cpu_seconds", "energy_wh", "notes"),
)
"""What it says of the training, null where that is not known."""
TUNED, TOKENIZER = "text.safetensors", "tokenizer"


def save(
    recommender: Recommender,
    run: str | os.PathLike[str],
    *,
    config: str | None = None,
    metrics: list[dict[str, Any]] | None = None,
    judged: Mapping[str, Any] | None = None,
    per_user: pl.DataFrame | None = None,
    beside: Callable[[Mapping[str, Any]], Mapping[str, bytes]] | None = None,
    replace: bool = False,
    sign: str | os.PathLike[str] | None = None,
) -> Path:
    """Write the run folder beside its place and put it there when whole; whatever fails leaves an older run as it was.

    ``config``: the TOML text it was trained from, its paths as seen from ``run``; absent, one is written from what is known of the training.
    ``judged``: what the figures of ``metrics`` were judged on and by.
    ``beside``: makes further files of the run, by name, from what ``about.json`` will say.
    ``sign``: a private Ed25519 key, with which ``about.json``, and by its hashes every file but the figures, is signed in ``about.sig``.
    """
    target = Path(run)
    if recommender.schema is None:
        raise RunError("this recommender is not trained: there is nothing to save.")
    check_place(target, replace)
    with whole_folder(target) as work:
        said = config if config is not None else _config_of(recommender, target)
        figures = metrics_file(metrics or [], judged)
        with recommender.still():  # items that come meanwhile are in all files or in none
            facts = _write(recommender, work, said, figures, per_user, beside)
        seal(work, {**facts, "place": str(target.resolve())}, sign)
        shared(work)
    return target


def _write(
    recommender: Recommender,
    folder: Path,
    config: str,
    metrics: bytes,
    per_user: pl.DataFrame | None,
    beside: Callable[[Mapping[str, Any]], Mapping[str, bytes]] | None,
) -> dict[str, Any]:
    """All but ``about.json``; gives what that will say."""
    dataset = recommender.schema
    assert dataset is not None
    content, held = recommender.content, recommender.catalogue
    (folder / "config.toml").write_text(config, encoding="utf-8")
    save_file({name: tensor.contiguous().clone() for name, tensor in recommender.model.state().items()}, folder / "model.safetensors")
    tuned = recommender.text.state()
    if tuned:
        save_file({name: tensor.contiguous() for name, tensor in tuned.items()}, folder / TUNED)
        recommender.text.save_tokenizer(folder / TOKENIZER)
    vectors = pl.Series("vector", content.text.numpy(), dtype=pl.Array(pl.Float32, content.width)) if content.width else None
    prefixed = held.items.rename({name: f"item:{name}" for name in held.items.columns}).with_columns(
        known=pl.Series(content.known.numpy()),
        removed=pl.Series([code in held.removed for code in range(len(held))]),
        count=pl.Series(held.taken),
        recent_count=pl.Series(held.taken_lately),
    )
    coded = recommender.side.encode(held.items)
    pairs = ((coded.codes, content.side_codes), (coded.dense.nan_to_num(), content.side_dense.nan_to_num()))
    if not all(torch.equal(now, trained) for now, trained in pairs):  # columns of known items were changed since
        prefixed = prefixed.with_columns(
            pl.Series("side_codes", content.side_codes.numpy(), dtype=pl.Array(pl.Int32, content.side_codes.shape[1])),
            pl.Series("side_dense", content.side_dense.numpy(), dtype=pl.Array(pl.Float32, content.side_dense.shape[1])),
        )
    (prefixed.with_columns(vectors) if vectors is not None else prefixed).write_parquet(folder / "items.parquet")
    recommender.people.users.write_parquet(folder / "users.parquet")
    _history_frame(recommender.histories).write_parquet(folder / "history.parquet")
    vocabulary = {
        "parts": {
            "model": section(recommender.model, models),
            "text": section(recommender.text, encoders),
        },
        "tuned_from": recommender.text.untuned().identity if tuned else None,
        "features": recommender.features.vocabulary(),
        "profile": recommender.features.profile.vocabulary() if recommender.features.profile else [],
        "side": recommender.side.vocabulary(),
        "columns": recommender.columns.model_dump(mode="json", exclude_defaults=True),
        "types": dict(recommender.types),
        "separators": dict(dataset.separators),
        "forms": dict(dataset.forms),
        "timezone": dataset.timezone,
        "rules": dataset.rules.model_dump(mode="json", exclude_defaults=True),
        "prompt": dataset.prompt,
        "has_times": dataset.has_times,
        "newest": recommender.newest,
        "version": recommender.version,
        "seed": recommender.seed,
        "exclude_seen": recommender.exclude_seen,
        "words": recommender.spelling.counts if recommender.spelling is not None else None,
        "objective": asdict(recommender.model.objective),
        "calibration": recommender.model.calibration.model_dump(mode="json") if recommender.model.calibration is not None else None,
    }
    policy = {"use": named(recommender.policy, policies), "options": recommender.policy.settings()}
    (folder / "vocabulary.json").write_bytes(as_json(vocabulary))
    (folder / "policy.json").write_bytes(as_json(policy))
    (folder / "metrics.json").write_bytes(metrics)
    (per_user if per_user is not None else pl.DataFrame({"user": pl.Series([], dtype=pl.String)})).write_parquet(folder / "per_user.parquet")
    text = (folder / "config.toml").read_bytes()
    facts = {
        "format": FORMAT,
        "germane": version("germane"),
        "created": datetime.now(UTC).isoformat(timespec="seconds"),
        "config_sha256": hashlib.sha256(text).hexdigest(),
        "seed": recommender.seed,
        "parameters": recommender.parameters(),
        **dict.fromkeys(TOLD),
        **recommender.facts,
        "files": {},
        "versions": {name: version(name) for name in ("torch", "polars", "safetensors", "pydantic")},
    }
    for name, written in (beside(known(facts)) if beside is not None else {}).items():
        (folder / name).write_bytes(written)
    return facts


def load(run: str | os.PathLike[str], *, trust: str | os.PathLike[str] | None = None, figures: bool = True) -> Recommender:
    """The recommender of a run folder. Missing files, other bytes than were written, a newer format or a pickle are refused by name.

    ``trust``: a public Ed25519 key; a run that its private half did not sign is refused too. ``figures``: whether what judging wrote is looked at
    too, which who judges anew need not.
    """
    folder = Path(run)
    for _ in range(2):  # a run that is replaced meanwhile is read once more
        begun = _about(folder)
        try:
            recommender = _loaded(folder, trust, figures)
        except GermaneError:
            if _about(folder) == begun:
                raise
            continue
        if _about(folder) == begun:
            return recommender
    raise RunError(f"{folder} was replaced while it was read, and once more as it was read again: ask again when that is done.")


def _about(folder: Path) -> bytes | None:
    """By which one run is told from another in its place."""
    try:
        return (folder / "about.json").read_bytes()
    except OSError:
        return None


def _loaded(folder: Path, trust: str | os.PathLike[str] | None, figures: bool) -> Recommender:
    about = check(folder, trust, figures=figures)
    try:
        recommender = _read(folder)
    except GermaneError:
        raise
    except (OSError, SafetensorError, KeyError, ValueError, TypeError, RuntimeError, pl.exceptions.PolarsError) as error:
        raise RunError(f"{folder} cannot be read ({type(error).__name__}: {str(error).splitlines()[0] if str(error) else ''}).") from None
    recommender.facts = {name: said for name, said in about.items() if name not in OWN}
    sections = read_toml(folder / "config.toml")
    recommender.sections = moved(sections, stands_in(sections, folder, about), None)
    return recommender


def _read(folder: Path) -> Recommender:
    said = read_json(folder, "vocabulary.json")
    policy = read_json(folder, "policy.json")
    recommender = Recommender(
        build(said["parts"]["model"], models, Model, "vocabulary.json model:"),
        text=build(said["parts"]["text"], encoders, Encoder, "vocabulary.json text:"),
        policy=build({"use": policy["use"], **policy["options"]}, policies, Policy, "policy.json:"),
        seed=said["seed"],
        exclude_seen=tuple(said["exclude_seen"]) if isinstance(said["exclude_seen"], list) else said["exclude_seen"],
    )
    if said.get("tuned_from") is not None:
        if said["tuned_from"] != recommender.text.untuned().identity:
            raise RunError(f"{folder} tuned a language model with other weights than are here for {recommender.text}: give it those of its training.")
        recommender.text.load_state(load_file(folder / TUNED), folder / TOKENIZER)
    recommender.model.objective = Objective(**said.get("objective", {}))
    if said.get("calibration") is not None:
        try:
            recommender.model.calibration = calibration.read(said["calibration"])
        except ConfigError as error:
            raise RunError(f"{folder / 'vocabulary.json'} cannot be read: {error}") from None
    table = pl.read_parquet(folder / "items.parquet", glob=False)
    items = table.select(pl.col(c).alias(c.removeprefix("item:")) for c in table.columns if c.startswith("item:"))
    features = FeatureSet.from_vocabulary(said["features"])
    features.profile = FeatureSet.from_vocabulary(said["profile"])
    side = FeatureSet.from_vocabulary(said["side"])
    coded = _as_trained(side.encode(items), table)
    text = torch.from_numpy(np.array(table["vector"].to_numpy(), dtype=np.float32)) if "vector" in table.columns else torch.zeros(items.height, 0)
    if text.shape[1]:
        recommender.text.take_width(text.shape[1])
    known = torch.tensor(table["known"].to_list(), dtype=torch.bool)
    content = ItemContent(text, coded.codes, coded.dense, known, side.n_codes, torch.zeros(items.height, 1, dtype=torch.int16))
    empty = {"user": pl.Int32, "item": pl.Int32, "weight": pl.Float32, "positive": pl.Boolean} | ({"time": pl.Float64} if said["has_times"] else {})
    catalogue = Dataset(
        Columns(**said["columns"]),
        said["types"],
        pl.DataFrame(schema=empty),
        items,
        pl.read_parquet(folder / "users.parquet", glob=False),
        said["separators"],
        said.get("forms", {}),
        said.get("timezone"),
        Rules(**said["rules"]),
        said["prompt"],
    )
    words = said.get("words")
    recommender.spelling = Spelling(words, recommender.text.is_word) if words is not None else None
    recommender.restore(catalogue, features, side, content, said["newest"])
    try:
        recommender.model.load_state(load_file(folder / "model.safetensors"))
    except (RuntimeError, KeyError):
        kind, again = type(recommender.model).__name__, folder / "config.toml"
        raise RunError(
            f"{folder} holds other weights than {kind} has in this version of Germane, so another one saved it: "
            f"train it again by `germane train {again}`."
        ) from None
    for part in recommender.model.parts:
        if isinstance(part, torch.nn.Module):
            part.eval()  # a run answers; it is not in training
    recommender.version = said["version"]
    held = recommender.catalogue
    held.removed = set(np.flatnonzero(table["removed"].to_numpy()).tolist())
    held.taken, held.taken_lately = table["count"].to_numpy().copy(), table["recent_count"].to_numpy().copy()
    recommender.histories = _histories(pl.read_parquet(folder / "history.parquet", glob=False))
    return recommender


def _as_trained(coded: Moments, table: pl.DataFrame) -> Moments:
    """Side columns as models read them, where those of known items were changed after training."""
    if "side_codes" not in table.columns:
        return coded
    codes, dense = (table[name].to_numpy().reshape(like.shape) for name, like in (("side_codes", coded.codes), ("side_dense", coded.dense)))
    return Moments(torch.tensor(codes, dtype=coded.codes.dtype), torch.tensor(dense, dtype=coded.dense.dtype))


def _history_frame(histories: Histories) -> pl.DataFrame:
    """One row a user: the newest events as a list of structs (context as JSON), and all that was seen, by kind."""
    rows = [
        {
            "user": user,
            "events": [
                {"item": e.item, "time": e.time, "kind": e.kind, "value": e.value, "context": json.dumps(dict(e.context)) if e.context else None}
                for e in histories.of(user)
            ],
            "seen": [{"kind": kind, "items": sorted(items)} for kind, items in sorted(histories.seen_by_kind(user).items())],
        }
        for user in histories.users()
    ]
    event = pl.Struct({"item": pl.String, "time": pl.Float64, "kind": pl.String, "value": pl.Float64, "context": pl.String})
    seen = pl.Struct({"kind": pl.String, "items": pl.List(pl.String)})
    return pl.DataFrame(rows, schema={"user": pl.String, "events": pl.List(event), "seen": pl.List(seen)})


def _histories(frame: pl.DataFrame) -> Histories:
    histories = Histories()
    for row in frame.iter_rows(named=True):
        for e in row["events"]:
            context = json.loads(e["context"]) if e["context"] else {}
            histories.append(row["user"], Event(e["item"], times.wall(e["time"]), e["kind"], e["value"], context))
        for seen in row["seen"]:
            for item in seen["items"]:
                histories.mark(row["user"], item, seen["kind"] or None)
    return histories


def _config_of(recommender: Recommender, run: Path) -> str:
    """What it was trained by, as far as that is known, and its parts."""
    parts = {"model": section(recommender.model, models), "text": section(recommender.text, encoders)}
    sections = {"seed": recommender.seed, **parts, **recommender.sections, "policy": section(recommender.policy, policies)}
    return tomli_w.dumps(moved(sections, Path(), run))
