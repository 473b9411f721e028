"""A training followed: what the loop tells, as points of curves in every tracker that ``[tracking]`` names."""

from __future__ import annotations

import json
import re
import secrets
import shutil
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from ..config import Config
from ..data.addresses import safe
from ..errors import ConfigError
from ..evaluation import Cases, EvaluationOptions
from ..models import Learned, Model, TwoSided
from ..recommender import Recommender
from ..training import Told
from ..training.tracking import TrackingOptions
from .memory import peak_mb
from .pace import Pace
from .samples import as_table, names_of, samples_of, some_of

if TYPE_CHECKING:
    from accelerate.tracking import TensorBoardTracker, WandBTracker

    from .json_lines import JsonLines

__all__ = ["CURVE", "SAMPLES", "Follower", "check_projector", "following", "without_passwords"]

CURVE, SAMPLES = "curve.jsonl", "samples.jsonl"
PROJECTED = 10_000
"""Items in the projector at most: more make its page slow."""


@contextmanager
def following(config: Config, work: Path, run: Path, first: bool = True) -> Iterator[Follower]:
    """A follower whose trackers are closed at the end, whatever happens.

    ``work``: the folder of the unfinished run, where its JSON lines lie; ``run``: the folder that it will be. ``first``: of several processes the one
    that tells; the others' followers hear nothing and open nothing.
    """
    options = config.tracking if first else TrackingOptions()
    folder = run.parent / "tracking" if options.folder is None else config.base / options.folder
    follower = Follower(options, work, folder, options.run or run.name, without_passwords(config.sections), config.evaluation)
    try:
        yield follower
    finally:
        follower.close()


class Follower:
    """Hears the loop and writes the points. JSON lines and TensorBoard begin with the first step, which tells where an interrupted training goes on:
    what was written of epochs that are run again goes."""

    def __init__(
        self, options: TrackingOptions, work: Path, folder: Path, name: str, sections: Mapping[str, Any], judged_by: EvaluationOptions
    ) -> None:
        self.options, self.work, self.folder, self.name, self.sections, self.judged_by = options, work, folder, name, sections, judged_by
        self.step = 0
        """Of the whole job, over all its parts."""
        self.pace, self.began = Pace(), time.perf_counter()
        self.curve: JsonLines | None = None
        self.lists: JsonLines | None = None
        self.board: TensorBoardTracker | None = None
        self.wandb: WandBTracker | None = None
        self.chosen: tuple[Cases, Cases] | None = None
        if "wandb" in options.use:
            from .trackers import open_wandb

            self.wandb = open_wandb(options, folder, name, self._wandb_id(), sections)

    def __call__(self, told: Told) -> None:
        """A step, or the end of an epoch."""
        if self.curve is None:
            self._begin(told)
        self.pace(told)
        self.step += not told.ended
        if not told.ended and self.step % self.options.every:
            return
        assert self.curve is not None
        now: dict[str, Any] = {"rate": told.rate, "peak_mb": peak_mb()}
        if self.pace.events_per_second is not None:
            now["events_per_second"] = self.pace.events_per_second
        if told.figure is not None:
            now["validation"] = told.figure
        at = told.epoch if told.ended else told.epoch - 1 + told.step / max(told.steps, 1)
        line = {"part": told.part, "epoch": told.epoch, "at": round(at, 4), "loss": told.loss, "losses": told.losses, **now}
        self.curve.log(line | ({"ended": True, "seconds": time.perf_counter() - self.began} if told.ended else {}), self.step)
        loss = "epoch/loss" if told.ended else "loss"
        points = {loss: told.loss, **{f"{loss}/{head}": value for head, value in told.losses.items()}, **now}
        for tracker in (self.board, self.wandb):
            if tracker is not None:
                tracker.log({f"{told.part}/{name}".lstrip("/"): value for name, value in points.items()}, self.step)

    def show(self, told: Told, model: Learned, cases: Cases) -> None:
        """Lists of the sampled users, as the model stands."""
        if not self.options.samples:
            return
        from .json_lines import JsonLines

        if self.chosen is None or self.chosen[0] is not cases:
            self.chosen = (cases, some_of(cases, self.options.samples))
        samples = samples_of(model, self.chosen[1], self.judged_by)
        if self.lists is None:
            self.lists = JsonLines(self.work / SAMPLES)
            self.lists.start()
        self.lists.log({"part": told.part, "epoch": told.epoch, "samples": [one.as_json() for one in samples]}, self.step)
        columns, rows = as_table(samples)
        name = f"{told.part}/samples".lstrip("/")
        if self.board is not None:
            lines = [columns, ["---"] * len(columns), *rows]
            text = "\n".join("| " + " | ".join(_cell(cell) for cell in line) + " |" for line in lines)
            self.board.log({name: text}, self.step)
        if self.wandb is not None:
            self.wandb.log_table(name, columns=columns, data=rows, step=self.step)

    def project(self, recommender: Recommender) -> None:
        """The vectors of the most taken items for TensorBoard's projector: the model's own where it has two sides, else those of the texts."""
        if not self.options.projector:
            return
        self._open_board(self.step + 1)
        assert self.board is not None
        held, model = recommender.catalogue, recommender.model
        some = np.sort(np.argsort(-held.taken, kind="stable")[:PROJECTED])
        vectors = vectors_of(model, recommender, torch.from_numpy(some))
        texts = [name for name in recommender.columns.text if name in held.items.columns]
        names = names_of(held.items[some], texts)
        rows = [[str(held.items["id"][int(code)]), name.replace("\t", " ")] for code, name in zip(some, names, strict=True)]
        shutil.rmtree(self.folder / "tensorboard" / self.name / f"{self.step:05d}", ignore_errors=True)  # of an earlier training of this name
        self.board.tracker.add_embedding(vectors, metadata=rows, metadata_header=["item", "name"], tag="items", global_step=self.step)

    def files(self) -> dict[str, bytes]:
        """What belongs into the run folder."""
        return {name: (self.work / name).read_bytes() for name in (CURVE, SAMPLES) if (self.work / name).exists()}

    def close(self) -> None:
        for tracker in (self.curve, self.lists, self.board, self.wandb):
            if tracker is not None:
                tracker.finish()
        self.curve = self.lists = self.board = self.wandb = None

    def _begin(self, told: Told) -> None:
        from .json_lines import JsonLines, keep_before

        self.step = keep_before(self.work / CURVE, told.part, told.epoch)
        keep_before(self.work / SAMPLES, told.part, told.epoch)
        self.curve = JsonLines(self.work / CURVE)
        self.curve.start()
        self._open_board(self.step + 1 if self.step else 0)

    def _open_board(self, step: int) -> None:
        if "tensorboard" not in self.options.use or self.board is not None:
            return
        from .trackers import open_tensorboard

        self.board = open_tensorboard(self.folder / "tensorboard", self.name, step)
        self.board.log({"config": "```json\n" + json.dumps(self.sections, ensure_ascii=False, indent=1) + "\n```"}, step)

    def _wandb_id(self) -> str:
        """The same for an interrupted training and what goes on from it."""
        path = self.work / "wandb.id"
        if not path.exists():
            path.write_text(secrets.token_hex(4), encoding="ascii")
        return path.read_text(encoding="ascii")


def vectors_of(model: Model, recommender: Recommender, items: torch.Tensor) -> torch.Tensor:
    """[items, width]"""
    if isinstance(model, TwoSided):
        model.eval()
        with torch.inference_mode():
            return model.item_vectors(items).float().cpu()
    return recommender.content.text[items]


def check_projector(options: TrackingOptions, recommender: Recommender) -> None:
    """Refuse, before training, where there will be nothing to show."""
    if options.projector and not isinstance(recommender.model, TwoSided) and not recommender.text.width:
        raise ConfigError(
            f"[tracking] projector = true shows vectors of items, and {type(recommender.model).__name__} has none, nor do items have texts: "
            "leave it out, or take a model of two sides such as ContextTransformer."
        )


def without_passwords(value: Any) -> Any:
    """What addresses such as ``postgresql://user:password@host`` would give away.

    >>> without_passwords({"data": {"sql": "postgresql://ann:secret@db/shop"}})
    {'data': {'sql': 'postgresql://…@db/shop'}}
    >>> without_passwords("postgresql://db/shop?user=ann&password=secret")
    'postgresql://db/shop?user=ann&password=***'
    """
    if isinstance(value, Mapping):
        return {name: without_passwords(inner) for name, inner in value.items()}
    if isinstance(value, list | tuple):
        return [without_passwords(inner) for inner in value]
    return safe(re.sub(r"://(?:[^/@\s]+|[^/@\s]*:[^@\s]*)@(?:[^/?\s]*@)?", "://…@", value)) if isinstance(value, str) else value


def _cell(value: Any) -> str:
    return "" if value is None else str(value).replace("|", "\\|")
