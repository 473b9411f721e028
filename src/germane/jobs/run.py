"""Config to run folder: train, judge, save; and judge a saved run again."""

from __future__ import annotations

import copy
import shutil
import time
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path

from ..bundle import load, save
from ..config import Config, read_toml
from ..data import Dataset, Split
from ..errors import ConfigError, RunError, nearest
from ..evaluation import OF_ROWS, EvaluationOptions, labels_at, paired
from ..paths import lost, moved
from ..recommender import Recommender
from ..seal import about_of, metrics_file, rewrite
from ..signing import check_signing_key
from ..training import Processes, Progress, Told
from ..types import Note
from ..writing import GOES_ON, check_place, check_writable, partial_of, writing
from .beside import as_parquet, beside, per_user
from .facts import Took
from .fitting import first_alone
from .following import Follower, check_projector, following
from .ground import as_trained, coded_as, ground_of
from .lessons import check_baselines
from .notes import NEVER_TUNED, notes_of
from .opening import sections_of
from .progress import Stages
from .reliability import check_labels, check_reliability, shown, write_reliability
from .resuming import begin, changes, working
from .trackers import check_tracking
from .train import NOTHING_JUDGED, Judged, balance_lists, fit, judge, without_context

__all__ = ["as_seen_from", "evaluate_run", "train_run"]


def train_run(
    config: str | Path | Config,
    run: str | Path,
    *,
    sets: Sequence[str] = (),
    replace: bool = False,
    resume: bool = False,
    progress: Progress | None = None,
    noted: Callable[[Note], object] | None = None,
    sign: str | Path | None = None,
    resumable: bool = True,
) -> tuple[Path, Judged]:
    """Train what ``config`` says and write the run folder. Works in ``RUN.partial``, which a later ``resume`` goes on from, unless it is not
    ``resumable``: then nothing is kept on the way.

    ``noted`` hears, before training begins, what is odd about the data or about asking this model of them; ``about.json`` keeps it.
    ``sign``: a private key that signs the run, see ``save``. In several processes (torchrun, accelerate launch, Ray Train) all train; the first one
    alone writes, judges and tells ``progress`` and ``noted``, and the others come back without rows once the run is whole.
    """
    target = Path(run)
    work = partial_of(target)
    read = config if isinstance(config, Config) else Config.read(config, sets)
    processes = Processes.joined(read.training.device)
    if processes.first:
        check_place(target, replace)
        _check_work(work, replace, resume)
    if sign is not None:
        check_signing_key(Path(sign))
    check_tracking(read.tracking)
    took = Took()
    with processes.first_ahead():  # what is fetched is fetched once
        dataset = read.dataset()
        split = read.split.divide(dataset)
        recommender = read.recommender(dataset)
        check_baselines(read, dataset, split)
        check_projector(read.tracking, recommender)
        if processes.first:
            with writing(work, GOES_ON if resumable else "make room, and begin anew"):
                begin(work, dataset.fingerprint, read.dump(), resume)
    notes = [*notes_of(dataset, split, read, processes.count), *changes(work)]
    if noted is not None and processes.first:
        for note in notes:
            noted(note)

    with working(work, resumable) if processes.first else nullcontext():
        with following(read, work, target, processes.first) as follow:

            def heard(told: Told) -> None:
                follow(told)
                if progress is not None and processes.first:
                    progress(told)

            kept = work / "checkpoint" if resumable else None
            facts = fit(
                recommender,
                dataset,
                split,
                read.training,
                evaluation=read.evaluation,
                checkpoint=kept,
                progress=took.watching(heard),
                shown=follow.show,
            )
            if facts["asleep"]:
                notes.append(NEVER_TUNED)
                if noted is not None and processes.first:
                    noted(notes[-1])
            judged_from = time.perf_counter()
            part = "test" if len(split.test) else "validation"
            judging = judge if processes.first else _not_judged
            judged = _judge(recommender, dataset, split, read, part, progress, judging, otherwise="validation")
            judged.ground = ground_of(dataset, read.split, read.evaluation)
            if "ranker" in facts:
                judged.notes = (str(facts["ranker"]),)
            recommender.remember(dataset)
            follow.project(recommender)
        evaluate = time.perf_counter() - judged_from
        recommender.facts = took.facts(dataset, facts, read.training, folder=str(read.base.resolve()), evaluate=evaluate, notes=notes)
        if processes.first:
            _save(recommender, target, work, read, dataset, judged, follow, replace=replace, sign=sign, resumable=resumable)
    processes.wait()
    return target, judged


def _save(
    recommender: Recommender,
    target: Path,
    work: Path,
    read: Config,
    dataset: Dataset,
    judged: Judged,
    follow: Follower,
    *,
    replace: bool,
    sign: str | Path | None,
    resumable: bool,
) -> None:
    """Write the run folder; what it was built in goes."""
    try:
        save(
            recommender,
            target,
            config=as_seen_from(target, read).dump(),
            metrics=judged.rows,
            judged=judged.ground,
            per_user=per_user(dataset, judged),
            beside=lambda facts: {**beside(facts, dataset, judged, read.sections), **follow.files()},
            replace=replace,
            sign=sign,
        )
    except RunError as error:
        if not resumable:
            raise
        raise RunError(f"{error} What was trained is kept in {work}: the same command with --resume goes on from there.") from None
    shutil.rmtree(work, ignore_errors=True)


def as_seen_from(run: Path, config: Config) -> Config:
    """The config with paths that are relative to the run folder."""
    return replace(config, sections=moved(config.sections, config.base, run))


def _check_work(work: Path, replace: bool, resume: bool) -> None:
    if work.exists() and not (resume or replace):
        raise RunError(f"{work} is left from an interrupted training: add --resume to go on, or --replace to begin anew.")


def _not_judged(*given: object, **named: object) -> Judged:
    """Of a process that is not the first: it trains what is trained beside the run, and leaves the judging."""
    return Judged([], NOTHING_JUDGED)


def _judge(
    recommender: Recommender,
    dataset: Dataset,
    split: Split,
    config: Config,
    part: str,
    progress: Progress | None = None,
    judge: Callable[..., Judged] = judge,
    told: Callable[[int, int], object] | None = None,
    *,
    otherwise: str = "",
) -> Judged:
    """Rows of the run, its baselines and its variants, with a paired test of the run against each. ``told`` hears how much of it is judged;
    ``otherwise``: the part that is judged where nothing of ``part`` can be, since its users took each of its items before."""
    if not len(getattr(split, part)):
        return Judged([], NOTHING_JUDGED)
    options = config.evaluation
    alone = first_alone(recommender)
    learnt = split.refitted(dataset) if part == "test" and config.training.refit else split
    stages = Stages(told, 1 + len(config.baselines) + (alone is not recommender) + len(options.variants))
    ours = judge(recommender, dataset, learnt, options, part=part, told=stages.next())
    if not ours.rows and otherwise and len(getattr(split, otherwise)):
        part, learnt = otherwise, split
        ours = judge(recommender, dataset, split, options, part=part)
    rivals: dict[str, Judged] = {}
    for baseline in config.baselines:
        reads = baseline.abilities.reads
        text, features = recommender.text.untuned() if "text" in reads else None, config.features if "context" in reads else ()
        rival = Recommender(baseline, text=text, features=features, seed=config.seed, exclude_seen=options.exclude_seen)
        fit(rival, dataset, split, config.training.suited(baseline), evaluation=options, progress=progress)
        name = type(baseline).__name__
        name = repr(baseline) if name in rivals else name
        rivals[name] = judge(rival, dataset, learnt, options, part=part, name=name, told=stages.next())
    if alone is not recommender:
        if alone.model.wants_balance:  # its lists are to hold the share too; the one below the second model adds nothing
            alone.model = copy.deepcopy(alone.model)
            balance_lists(alone, dataset, learnt.train, options)
        rivals["without ranker"] = judge(alone, dataset, learnt, options, part=part, variant="without ranker", told=stages.next())
    for variant in options.variants:
        heard = stages.next()
        if variant == "without context":
            blind = without_context(recommender)
            if blind is not None:
                fit(blind, dataset, split, config.training, evaluation=options, progress=progress)
                rivals[variant] = judge(blind, dataset, learnt, options, part=part, variant=variant, told=heard)
        else:
            rivals[variant] = judge(recommender, dataset, learnt, options, part=part, variant=variant, told=heard)
    for row in ours.rows:
        if row["segment"] == "all":
            row["p_against"] = {name: _p(ours, rival, options, config.seed) for name, rival in rivals.items() if rival.rows}
    return replace(ours, rows=ours.rows + [row for rival in rivals.values() for row in rival.rows])


def _p(ours: Judged, theirs: Judged, options: EvaluationOptions, seed: int) -> float:
    """Of the lists; where none are judged, of what single rows cost."""
    if options.k:
        return paired(ours.cases, theirs.cases, metric=f"ndcg@{options.k[0]}", seed=seed)
    return paired(ours.pairs, theirs.pairs, metric=next((name for name in OF_ROWS if ours.pairs[name].count()), OF_ROWS[0]), seed=seed)


def evaluate_run(
    run: str | Path,
    *,
    config: str | Path | None = None,
    split: str = "test",
    sets: Sequence[str] = (),
    reliability: str | Path | None = None,
    trust: str | Path | None = None,
    told: Callable[[int, int], object] | None = None,
) -> Judged:
    """Judge a saved run on the held-out part of its own data, or of another config's, and rewrite what the run says of
    its figures.

    ``config``: gives ``[data]`` and ``[split]``; all else is the run's own. ``sets``: changes of its policy and its evaluation. ``trust``: a public
    key that has to have signed it. ``reliability``: a file for the reliability diagram of the click head on that part, ``.svg``, ``.png`` or
    ``.json``. ``told`` hears how much of it is done.
    """
    folder = Path(run)
    if split not in ("test", "validation"):
        raise ConfigError(f"--split {split!r}: choose test or validation.")
    check_writable(folder)
    recommender = load(folder, trust=trust, figures=False)
    if reliability is not None:
        check_reliability(reliability, recommender)
    about, read = about_of(folder), _asked(folder, recommender, config, sets)
    found = read.dataset()
    dataset = coded_as(recommender, found)
    recommender.text.on(read.training.device)
    parts = read.split.divide(dataset)
    if reliability is not None:
        check_labels(labels_at(dataset, getattr(parts, split)), split)
    judged = _judge(recommender, dataset, parts, read, split, told=told)
    if not judged.rows:  # what it was judged by before stays
        return judged
    judged.ground = ground_of(found, read.split, read.evaluation)
    if judged.ground["data"] != (about.get("data") or {}).get("fingerprint"):
        judged.notes += ("judged on other data than it was trained on, or on these as they are now: their fingerprints differ.",)
    figures = {"metrics.json": metrics_file(judged.rows, judged.ground), "per_user.parquet": as_parquet(per_user(dataset, judged))}
    rewrite(folder, {**figures, **beside(about, dataset, judged, read_toml(folder / "config.toml"))})
    if reliability is not None:
        by = recommender.model.calibration
        name, kind = type(recommender.model).__name__, by.kind if by is not None else None
        write_reliability(shown(judged.pairs, name=name, part=split, calibration=kind), reliability)
    return judged


def _asked(folder: Path, recommender: Recommender, config: str | Path | None, sets: Sequence[str]) -> Config:
    """The run's own config with what ``sets`` say; of another config the data and how they are divided, its columns read as training read its own."""
    sections = sections_of(folder, sets)
    if config is not None:
        other = read_toml(config)
        if not isinstance(other.get("data"), dict):
            raise ConfigError(f"{config} has no section [data]: say where the events are that are to be judged.{nearest('data', other)}")
        theirs = moved({name: other[name] for name in ("data", "split") if name in other}, Path(config).parent, None)
        sections = {**{name: part for name, part in sections.items() if name not in ("data", "split")}, **theirs}
    elif "data" not in sections:
        raise RunError(
            f"{folder} does not say where its data are, since it was trained on tables given in Python: name a config that does by --config."
        )
    elif gone := lost(sections, folder):
        raise RunError(f"{gone[0]} is not there, where {folder} has its data: name a config that says where they are now by --config.")
    assert recommender.schema is not None
    return Config.of({**sections, "data": as_trained(sections["data"], recommender.schema)}, folder)
