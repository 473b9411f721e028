"""Several runs of one model as one: their weights averaged."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from ..bundle import read_json, save
from ..config import Config
from ..data import Dataset, Split
from ..errors import RunError
from ..evaluation import Validation, cases_of, choose_calibration
from ..models import Learned
from ..recommender import Recommender
from ..seal import about_of
from ..training import check_alone
from ..writing import check_place
from .beside import beside, per_user
from .facts import Took
from .ground import ground_of
from .opening import open_run, sections_of
from .progress import Stages
from .run import as_seen_from
from .train import Judged, balance_lists, judge

__all__ = ["averaged", "soup"]

SAME = ("features", "profile", "side", "columns", "types", "rules", "prompt", "objective", "exclude_seen", "tuned_from")
"""Of ``vocabulary.json``: what the weights of all runs have to mean alike."""


@dataclass(frozen=True)
class _Ingredient:
    folder: Path
    recommender: Recommender
    about: Mapping[str, Any]
    config: Config
    model: Mapping[str, Tensor]
    text: Mapping[str, Tensor]


def soup(
    runs: Sequence[str | Path],
    out: str | Path,
    *,
    greedy: bool = False,
    replace: bool = False,
    sets: Sequence[str] = (),
    told: Callable[[int, int], object] | None = None,
) -> tuple[Path, Judged]:
    """Average the weights of ``runs`` and write a whole run: the cost of one model, some of the gain of several (Wortsman et al. 2022, Model soups).

    The runs are of one architecture, the same data and the same split, and differ in how they were trained. It works where they began from the
    same weights, so with one ``seed``, or tuned the same language model; averages of runs from different seeds are mostly worse than each.
    ``greedy``: the best run on validation, and of the others, best first, those that do not make the figure worse; else all of them alike.
    The runs and the soup are judged on validation, the soup on the test part too. ``sets`` change the policy and the evaluation of all; ``told``
    hears how much is judged.
    """
    check_alone("germane soup")
    took, target = Took(), Path(out)
    check_place(target, replace)
    if len(runs) < 2:
        raise RunError("a soup is made of two runs at least: name them.")
    parts = [_opened(Path(run), sets) for run in runs]
    _check(parts)
    first = parts[0]
    config, recommender = first.config, first.recommender
    recommender.text.on(config.training.device)
    dataset = config.dataset()
    if dataset.fingerprint != first.about["data"]["fingerprint"]:
        raise RunError(f"the data of {first.folder} have changed since it was trained: a soup is judged on what its runs were trained on.")
    split = config.split.divide(dataset)
    if greedy and (config.training.refit or any(part.config.training.refit for part in parts)):
        raise RunError("--greedy chooses on validation, and a run with refit has learnt from it: leave --greedy out, or train without refit.")
    if not len(split.validation) and greedy:
        raise RunError("--greedy chooses on validation, and this split holds none out: leave it out.")
    label = {id(part): name for part, name in zip(parts, _names(parts), strict=True)}
    figures, rows = {}, []
    stages = Stages(told, (len(parts) + 1) * (len(split.validation) > 0) + (len(split.test) > 0))
    if len(split.validation):
        for part in parts:
            _wear([part], recommender, dataset)
            validate = _validation(recommender, dataset, split, config)  # what was typed is read by each run's own language model
            figures[label[id(part)]] = validate()
            rows += judge(recommender, dataset, split, config.evaluation, part="validation", name=label[id(part)], told=stages.next()).rows
    kept = _chosen(parts, recommender, dataset, split, label, figures) if greedy else parts
    _wear(kept, recommender, dataset)
    _settle(recommender, dataset, split, config)
    apart = len(split.test) > 0
    judged = judge(recommender, dataset, split, config.evaluation, part="test" if apart else "validation", told=stages.next())
    if apart and len(split.validation):
        judged.rows += judge(recommender, dataset, split, config.evaluation, part="validation", told=stages.next()).rows
    judged.rows += rows
    judged.notes = _notes(parts, kept, label)
    recommender.version = f"{type(recommender.model).__name__}-{dataset.fingerprint[:8]}-soup-of-{len(kept)}"
    learnt: dict[str, Any] = {"seconds": {}, "epochs": max(part.about.get("epochs", 0) for part in kept), "curve": []}
    recommender.facts = took.facts(dataset, learnt, config.training, folder=first.about["data"].get("folder"))
    recommender.facts["soup"] = {
        "runs": [label[id(part)] for part in parts],
        "kept": [label[id(part)] for part in kept],
        "greedy": greedy,
        "validation": figures,
    }
    save(
        recommender,
        target,
        config=as_seen_from(target, config).dump(),
        metrics=judged.rows,
        judged=ground_of(dataset, config.split, config.evaluation),
        per_user=per_user(dataset, judged),
        beside=lambda facts: beside(facts, dataset, judged, config.sections),
        replace=replace,
    )
    return target, judged


def averaged(states: Sequence[Mapping[str, Tensor]], names: Sequence[str]) -> dict[str, Tensor]:
    """The mean of every floating-point tensor, worked out in float64; whatever else they hold has to be the same.

    >>> averaged([{"w": torch.tensor([1.0])}, {"w": torch.tensor([4.0])}], ["a", "b"])
    {'w': tensor([2.5000])}
    """
    out = {}
    for key, own in states[0].items():
        if own.is_floating_point():
            out[key] = torch.stack([state[key].double() for state in states]).mean(0).to(own.dtype)
            continue
        for state, name in zip(states, names, strict=True):
            if not torch.equal(state[key], own):
                raise RunError(
                    f"{name} and {names[0]} hold different {key}, which are no weights to be averaged: their data or their options differ."
                )
        out[key] = own
    return out


def _opened(folder: Path, sets: Sequence[str]) -> _Ingredient:
    recommender, about = open_run(folder, sets=sets), about_of(folder)
    config = Config.of(sections_of(folder, sets), folder)
    if not any(isinstance(part, Learned) for part in recommender.model.parts):
        raise RunError(f"{folder} holds {type(recommender.model).__name__}, which learns by no gradients: there are no weights to average.")
    return _Ingredient(folder, recommender, about, config, _copy(recommender.model.state()), _copy(recommender.text.state()))


def _copy(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Of the tensors themselves: the first recommender wears every mean in turn."""
    return {name: tensor.clone() for name, tensor in state.items()}


def _check(parts: Sequence[_Ingredient]) -> None:
    """Refuse, in a sentence, what cannot be averaged with the first."""
    first = parts[0]
    said = read_json(first.folder, "vocabulary.json")
    for other in parts[1:]:
        both = f"{other.folder} and {first.folder}"
        if other.about.get("data", {}).get("fingerprint") != first.about.get("data", {}).get("fingerprint"):
            raise RunError(f"{both} were trained on different data: a soup is made of runs on the same.")
        if other.config.sections.get("split") != first.config.sections.get("split"):
            raise RunError(f"{both} divide the data differently in [split]: what one held out, the other has learnt.")
        one, two = _shapes(other.model), _shapes(first.model)
        if type(other.recommender.model) is not type(first.recommender.model) or one != two:
            names = sorted(name for name in one.keys() | two.keys() if one.get(name) != two.get(name))
            why = f"{other.recommender.model} and {first.recommender.model}; they differ in {', '.join(names[:3])}"
            why += ", and one counted the events of validation too, by refit" if other.config.training.refit != first.config.training.refit else ""
            raise RunError(f"{both} differ in their architecture ({why}): a soup averages weights of the same names and shapes.")
        if _shapes(other.text) != _shapes(first.text) or _reading(other) != _reading(first):
            raise RunError(f"{both} read texts differently ({other.recommender.text} and {first.recommender.text}): a soup needs one way.")
        theirs = read_json(other.folder, "vocabulary.json")
        different = [name for name in SAME if theirs.get(name) != said.get(name)]
        if different:
            raise RunError(f"{both} differ in their vocabulary ({', '.join(different)}): the same number would mean different things.")


def _reading(part: _Ingredient) -> tuple[object, ...]:
    """What the vectors of texts depend on besides what is averaged, such as how much LoRA's products count; not how it learned or how fast it is."""
    text = part.recommender.text
    bare = text.untuned()
    return bare.identity, bare.for_words.identity, text.settings().get("alpha") if part.text else None


def _shapes(state: Mapping[str, Tensor]) -> dict[str, torch.Size]:
    return {name: tensor.shape for name, tensor in state.items()}


def _names(parts: Sequence[_Ingredient]) -> list[str]:
    short = [part.folder.name for part in parts]
    return short if len(set(short)) == len(short) else [str(part.folder) for part in parts]


def _wear(parts: Sequence[_Ingredient], recommender: Recommender, dataset: Dataset) -> None:
    """Put the mean of their weights on; where a language model learned, items are read again with the mean of theirs."""
    names = [str(part.folder) for part in parts]
    made_anew = recommender.model.settled if parts[0].text and isinstance(recommender.model, Learned) else ()
    own = {name: parts[0].model[name] for name in made_anew if name in parts[0].model}
    recommender.model.load_state(averaged([{**part.model, **own} for part in parts], names))
    if parts[0].text:
        recommender.take_text(averaged([part.text for part in parts], names), dataset)
        if isinstance(recommender.model, Learned):
            recommender.model.settle(recommender.content.text)
    if isinstance(recommender.model, torch.nn.Module):
        recommender.model.eval()


def _chosen(
    parts: Sequence[_Ingredient], recommender: Recommender, dataset: Dataset, split: Split, label: Mapping[int, str], figures: Mapping[str, float]
) -> list[_Ingredient]:
    """Greedily on validation."""
    _wear(parts[:1], recommender, dataset)
    validate = _validation(recommender, dataset, split, parts[0].config)
    sign = -1.0 if validate.smaller_is_better else 1.0
    order = sorted(parts, key=lambda part: -sign * figures[label[id(part)]])
    kept, best = order[:1], sign * figures[label[id(order[0])]]
    for part in order[1:]:
        _wear([*kept, part], recommender, dataset)
        if parts[0].text:
            validate = _validation(recommender, dataset, split, parts[0].config)
        figure = sign * validate()
        if figure >= best:
            kept, best = [*kept, part], figure
    return kept


def _validation(recommender: Recommender, dataset: Dataset, split: Split, config: Config) -> Validation:
    """Of the recommender as it stands, on the figure that its training was to choose by."""
    cases = cases_of(recommender, dataset, split, "validation", config.evaluation)
    return Validation(recommender.model, cases, config.evaluation, config.training.metric)


def _settle(recommender: Recommender, dataset: Dataset, split: Split, config: Config) -> None:
    """What is chosen after training, for these weights."""
    recommender.model.calibration = None
    if config.training.calibrate is not None and len(split.validation):
        cases = cases_of(recommender, dataset, split, "validation", config.evaluation)
        recommender.model.calibration = choose_calibration(config.training.calibrate, recommender.model, cases)
    balance_lists(recommender, dataset, split.train, config.evaluation)


def _notes(parts: Sequence[_Ingredient], kept: Sequence[_Ingredient], label: Mapping[int, str]) -> tuple[str, ...]:
    seeds = sorted({part.recommender.seed for part in parts})
    notes = [f"averaged: {', '.join(label[id(part)] for part in kept)}"]
    if len(seeds) > 1:
        numbers = ", ".join(str(seed) for seed in seeds)
        notes.append(f"the runs began from different weights (seeds {numbers}): such averages are mostly worse than each; a Blend adds up scores.")
    return tuple(notes)
