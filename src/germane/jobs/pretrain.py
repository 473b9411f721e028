"""Config to a language model's folder: pretrain it on texts without labels, and say what that was worth."""

from __future__ import annotations

import hashlib
import json
import shutil
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from ..config import Config
from ..data import Dataset
from ..encoders import PretrainedText
from ..encoders.families import write_family
from ..encoders.language_model import LanguageModel
from ..encoders.weights import weights_hash
from ..encoders.word_head import WordHead, guesses
from ..errors import AbilityError, ConfigError, RunError, TrainingError
from ..training import Progress, Told, check_alone, choose_device
from ..training.pretraining import Contrast, GuessWords, PairedTexts, PretrainingOptions, pretrain_model
from ..training.pretraining.options import Objective
from ..writing import GOES_ON, check_place, partial_of, put, shared, writing
from .following import following
from .memory import peak_mb
from .resuming import begun, working
from .trackers import check_tracking
from .unlabelled import paired_texts, texts_of

__all__ = ["pretrain"]


@dataclass(frozen=True)
class _Job:
    """What is learned from, by which language model."""

    options: PretrainingOptions
    objective: Objective
    encoder: PretrainedText
    paired: PairedTexts
    seed: int

    @property
    def max_tokens(self) -> int:
        return self.options.max_tokens or self.encoder.options.max_tokens

    def base(self) -> dict[str, str]:
        """The language model that it began with: its name, and the hash of its weights."""
        hashes = [weights_hash(file) for file in sorted(self.encoder.folder.glob("*.safetensors"))]
        return {
            "model": self.encoder.options.model,
            "sha256": hashes[0] if len(hashes) == 1 else hashlib.sha256("".join(hashes).encode()).hexdigest(),
        }

    def stamp(self) -> str:
        """Changes with all that the outcome depends on."""
        read = hashlib.sha256(json.dumps(self.paired.texts).encode())
        for kind, pairs in self.paired.pairs.items():
            read.update(kind.encode() + pairs.tobytes())
        said = {"options": self.options.model_dump(mode="json"), "text": self.encoder.options.model_dump(mode="json")}
        return json.dumps({**said, "seed": self.seed, "base": self.base(), "texts": read.hexdigest()}, indent=1)

    def task(self) -> GuessWords | Contrast:
        device = choose_device(self.options.device)
        if self.objective == "contrastive":
            torch.manual_seed(self.seed)  # parts that the folder lacks and nothing reads
            language = LanguageModel(self.encoder.folder, self.encoder.family.pooling, self.max_tokens)
            room = self.encoder.options.states_memory * 1e9
            return Contrast(language, self.paired, self.options, device, self.seed, self.encoder.folder, room)
        return GuessWords(WordHead(self.encoder.folder, self.max_tokens, self.seed), self.paired.texts, self.options, device, self.seed)


def pretrain(
    config: str | Path | Config,
    out: str | Path,
    *,
    sets: Sequence[str] = (),
    replace: bool = False,
    resume: bool = False,
    progress: Progress | None = None,
) -> tuple[Path, dict[str, Any]]:
    """Pretrain the language model of ``[text]`` as ``[pretraining]`` says; gives the folder and what its ``pretraining.json`` holds.

    The folder loads with transformers and is what ``[text] model`` accepts; its ``curve.jsonl`` and the trackers of ``[tracking]`` follow the loss
    and the held-out loss. Works in ``OUT.partial``, which a later ``resume`` goes on from; where
    the loss stops being a number, the best weights until then lie in ``OUT.partial/last-good``.
    """
    check_alone("germane pretrain")
    target = Path(out)
    work = partial_of(target)
    check_place(target, replace)
    if work.exists() and not (resume or replace):
        raise RunError(f"{work} is left from an interrupted pretraining: add --resume to go on, or --replace to begin anew.")
    started = time.perf_counter()
    read = config if isinstance(config, Config) else Config.read(config, sets)
    check_tracking(read.tracking)
    job = _job(read)
    with writing(work, GOES_ON):
        _begin(work, job.stamp(), resume)
    with working(work):
        task, checkpoint = job.task(), work / "checkpoint"
        head_steps = None
        if isinstance(task, GuessWords):
            began = (checkpoint / "progress.json").exists()  # the head was fitted then, and is among what was kept
            head_steps = (job.options.head_steps if task.model.own() else 0) if began else task.fit_head(progress)
        try:
            with following(read, work, target) as follow:

                def heard(told: Told) -> None:
                    follow(told)
                    if progress is not None:
                        progress(told)

                trained = pretrain_model(task, job.objective, job.options, seed=job.seed, checkpoint=checkpoint, progress=heard)
        except TrainingError as error:
            if not (checkpoint / "progress.json").exists():
                raise
            with writing(work / "last-good", GOES_ON):
                task.save(work / "last-good")
            raise TrainingError(f"{str(error).rstrip('.')}. The best weights until then lie in {work / 'last-good'}.") from None
        words = isinstance(task, GuessWords)
        told = {
            "objective": job.objective,
            "loss": {"before": trained.curve[0]["held_out"], "after": trained.best, "unigram": task.chance if words else None},
            "texts": len(job.paired.texts),
            "steps": int(trained.curve[-1]["step"]),
            "base": job.base(),
            "best_step": int(trained.curve[trained.best_epoch]["step"]),
            **({"head_steps": head_steps, "fresh_head": task.model.fresh} if isinstance(task, GuessWords) else {"chance": task.chance}),
            **({} if words else {"pairs": {kind: len(pairs) for kind, pairs in job.paired.pairs.items()}}),
            "curve": trained.curve,
            "options": job.options.model_dump(mode="json", exclude_defaults=True),
            "seed": job.seed,
            "seconds": round(time.perf_counter() - started, 1),
            "peak_mb": round(peak_mb(), 1),
        }
        made = work / "model"
        with writing(target, GOES_ON):
            shutil.rmtree(made, ignore_errors=True)
            task.save(made)
            write_family(job.encoder.family, made)
            (made / "pretraining.json").write_text(json.dumps(told, indent=1) + "\n", encoding="utf-8")
            for name, content in follow.files().items():
                (made / name).write_bytes(content)
            shared(made)
            put(made, target)
        shutil.rmtree(work, ignore_errors=True)
    return target, told


def _begin(work: Path, stamp: str, resume: bool) -> None:
    said = work / "begun.json"
    with begun(work, resume) as goes_on:
        if not goes_on:
            said.write_text(stamp, encoding="utf-8")
        elif not said.exists() or said.read_text(encoding="utf-8") != stamp:
            raise RunError(f"{work} was begun with another config, seed or other texts: resuming needs the same; add --replace to begin anew.")


def _job(config: Config) -> _Job:
    encoder = config.encoder if config.encoder is not None else PretrainedText()
    if not isinstance(encoder, PretrainedText):
        raise ConfigError(f'[text] use = "{type(encoder).__name__}" has no language model to pretrain: say use = "PretrainedText".')
    options = config.pretraining
    objective = _objective(encoder, options)
    dataset: Dataset | None = None if options.corpus is not None else config.dataset()
    split = None if dataset is None else config.split.divide(dataset)
    if objective == "contrastive":
        paired = paired_texts(options, config.base, dataset, split, encoder.family.item_prefix, encoder.family.words_prefix)
    else:
        paired = PairedTexts(texts_of(options, config.base, dataset, split), {})
    return _Job(options, objective, encoder, paired, config.seed)


def _objective(encoder: PretrainedText, options: PretrainingOptions) -> Objective:
    kind = guesses(encoder.folder)
    own: list[Objective] = [] if kind is None else ["masked_words" if kind == "masked" else "causal_words"]
    can: list[Objective] = [*own, "contrastive"]
    asked = options.objective or can[0]
    if asked not in can:
        raise AbilityError(f'[pretraining] objective = "{asked}": {encoder.options.model} cannot do it; it can do {" and ".join(can)}.')
    return asked
