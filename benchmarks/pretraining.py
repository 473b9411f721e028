"""Pretraining without labels: MiniLM on the titles of Amazon Beauty, and what that is worth to new items.

    GERMANE_DATA=... python benchmarks/pretraining.py
    GERMANE_DATA=... python benchmarks/pretraining.py --plans "masked words" "next-item pairs"    # the losses alone
    python benchmarks/pretraining.py --quick    # a rehearsal

One item in ten is out of training altogether, as in cold_items.py, and its title is not read in pretraining either. ``before`` and ``after`` are
losses on what nothing learnt from. Of masked words (one in ten titles) ``before`` is that of a new head, fitted on the frozen model with the training
titles for as many steps as everything learns afterwards; ``guess`` is the loss of who knows how frequent words are and nothing else. Of pairs (an
item and the one that its user took next, of training events only) ``before`` is that of the model as it came, and ``guess`` that of chance among the
32 of a batch. Then the recipe configs/cold_items.toml with the one and the other as its language model, beside MiniLM as it came.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from _claims import Wanted
from _harness import Benchmark, keep_users
from _plans import Plan, Row, measured, recipe

WORDS = {"objective": "masked_words", "head_steps": 1000, "steps": 1000, "look": 200, "learning_rate": 1e-4}
PAIRS = {"objective": "contrastive", "pairs": ["next_item"], "steps": 120, "look": 60, "held_out": 0.005, "learning_rate": 5e-5}
FEW = {"head_steps": 3, "steps": 3, "look": 3, "batch": 8}


def asked(options: dict[str, Any], seed: int, folder: Path, quick: bool) -> dict[str, Any]:
    """The recipe with ``[pretraining]``; in a rehearsal few users and few steps, and still the real language model."""
    from _tables import rehearsal

    said = recipe("cold_items")(seed, folder)
    if quick:
        said = rehearsal(said, folder, 60)
    return {**said, "text": {"use": "PretrainedText"}, "pretraining": {**options, **(FEW if quick else {})}}


def losses(options: dict[str, Any]) -> Callable[[int, Path, bool], list[Row]]:
    def measure(seed: int, folder: Path, quick: bool) -> list[Row]:
        from germane.config import Config
        from germane.jobs.pretrain import pretrain
        from germane.jobs.progress import training_bar

        with training_bar(quick, options["objective"]) as progress:
            _, told = pretrain(Config.of(asked(options, seed, folder, quick), folder), folder / "model", progress=progress)
        loss = told["loss"]
        guess = told["chance"] if loss["unigram"] is None else loss["unigram"]
        figures = {"before": loss["before"], "after": loss["after"], "guess": guess}
        figures |= {"after / before": loss["after"] / loss["before"], "after / guess": loss["after"] / guess, "minutes": told["seconds"] / 60}
        return [measured("MiniLM", figures, steps=told["steps"], texts=told["texts"])]

    return measure


def recommended(plan: str, options: dict[str, Any]) -> Callable[[int, Path, bool], list[Row]]:
    """Rows of the recipe whose language model was pretrained so."""

    def measure(seed: int, folder: Path, quick: bool) -> list[Row]:
        from germane.config import Config
        from germane.jobs.pretrain import pretrain
        from germane.jobs.progress import training_bar
        from germane.jobs.run import train_run

        said = asked(options, seed, folder, quick)
        with training_bar(quick, plan) as progress:
            model, _ = pretrain(Config.of(said, folder), folder / "model", progress=progress)
            run, judged = train_run(Config.of({**said, "text": {"model": str(model)}}, folder), folder / "run", progress=progress)
        keep_users("pretraining", plan, seed, quick, run / "per_user.parquet")
        return judged.rows

    return measure


MASKED, NEXT, PLAIN = "masked words", "next-item pairs", "new items, MiniLM as it came"
AFTER_MASKED, AFTER_NEXT = "new items, after masked words", "new items, after next-item pairs"

BENCHMARK = Benchmark(
    __file__,
    "Pretraining on a catalogue's texts",
    plans=[
        Plan(MASKED, measure=losses(WORDS), needs="Beauty"),
        Plan(NEXT, measure=losses(PAIRS), needs="Beauty"),
        Plan(PLAIN, recipe("cold_items"), needs="Beauty", rehearsed=False),
        Plan(AFTER_MASKED, measure=recommended(AFTER_MASKED, WORDS), needs="Beauty", against=PLAIN, rehearsed=False),
        Plan(AFTER_NEXT, measure=recommended(AFTER_NEXT, PAIRS), needs="Beauty", against=PLAIN),
    ],
    metrics=("before", "after", "guess", "after / before", "after / guess", "minutes", "ndcg@10", "recall@10"),
    segments=("all", "known items", "new items", "new among new"),
    wanted=[
        Wanted("masked words, loss after, over that of a new head on the frozen model", MASKED, "after / before", most=0.9),
        Wanted("masked words, loss after, over that of word frequencies", MASKED, "after / guess", most=1.0),
        Wanted("next-item pairs, loss after, over that before", NEXT, "after / before", most=0.9),
        *(
            Wanted(f"NDCG@10 on the shelf of {plan}, over MiniLM as it came", plan, segment="new among new", over={"plan": PLAIN}, least=1.0)
            for plan in (AFTER_MASKED, AFTER_NEXT)
        ),
    ],
)

if __name__ == "__main__":
    BENCHMARK.main()
