"""Commands that learn: from tables to a config, a language model, a run."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Annotated

import typer

from ..errors import ConfigError
from .app import ConfigFile, Json, Out, Quiet, Replace, Sets, Trials, app, say


@app.command()
def init(
    events: Annotated[str, typer.Argument(metavar="EVENTS", help="File or glob: csv, tsv, parquet, jsonl.")],
    items: Annotated[str | None, typer.Option(help="The items' table.")] = None,
    users: Annotated[str | None, typer.Option(help="The users' table.")] = None,
    out: Out = Path("germane.toml"),
    replace: Replace = False,
    as_json: Json = False,
) -> None:
    """Guess what the columns of EVENTS mean and write a commented config."""
    from dataclasses import asdict

    from ..jobs.init import init as begin
    from ..jobs.show import show_guess

    path, found = begin(events, items, users, out, replace=replace)
    if as_json:
        print(json.dumps({"config": str(path), "columns": found.columns, "guesses": [asdict(one) for one in found.found]}, ensure_ascii=False))
        return
    show_guess(found)
    print(f"Written: {path}. Read it; then: germane check {path} and germane train {path} -o runs/first")


@app.command()
def check(
    config: ConfigFile,
    sets: Sets = None,
    no_estimate: Annotated[bool, typer.Option("--no-estimate", help="Time and memory are not foreseen.")] = False,
    learning_rate: Annotated[bool, typer.Option("--learning-rate", help="Try learning rates in 120 steps and suggest one.")] = False,
    as_json: Json = False,
) -> None:
    """Read CONFIG and its data, say what is wrong, foresee time and memory.

    Some steps of the training are run and timed, which takes some ten seconds; nothing is written.
    """
    from ..jobs.check import check as look
    from ..jobs.show import doing

    with doing(quiet=as_json) as told:
        found = look(config, sets=sets or (), timed=not no_estimate, rates=learning_rate, doing=told)
    say(found.as_json() if as_json else None, str(found))


@app.command()
def train(
    config: ConfigFile,
    out: Out,
    replace: Replace = False,
    resume: Annotated[bool, typer.Option("--resume", help="Go on with an interrupted training.")] = False,
    sign: Annotated[Path | None, typer.Option(metavar="KEYFILE", help="Sign the run with this private Ed25519 key.")] = None,
    sets: Sets = None,
    quiet: Annotated[bool, typer.Option("--quiet", help="No bars and no notes.")] = False,
    as_json: Json = False,
) -> None:
    """Train what CONFIG says, judge it, and write the run folder. What is odd about the data is noted first."""
    from ..jobs.progress import training_bar
    from ..jobs.run import train_run
    from ..training import Processes
    from ..types import Note

    notes: list[dict[str, str]] = []

    def noted(note: Note) -> None:
        notes.append({"code": note.code, "detail": note.detail})
        if not (quiet or as_json):
            print(f"note: {note.detail}", file=sys.stderr)

    with training_bar(quiet or as_json) as progress:
        run, judged = train_run(config, out, sets=sets or (), replace=replace, resume=resume, progress=progress, noted=noted, sign=sign)
    if Processes.joined().first:
        say({"run": str(run), "rows": judged.rows, "notes": notes} if as_json else None, f"{judged}\n{run}")


@app.command()
def pretrain(
    config: ConfigFile,
    out: Out,
    replace: Replace = False,
    resume: Annotated[bool, typer.Option("--resume", help="Go on with an interrupted pretraining.")] = False,
    sets: Sets = None,
    quiet: Quiet = False,
    as_json: Json = False,
) -> None:
    """Pretrain the language model of CONFIG on its texts, or on a corpus, and write a folder that [text] model accepts."""
    from ..jobs.pretrain import pretrain as learn
    from ..jobs.progress import training_bar
    from ..jobs.show import pretrained

    with training_bar(quiet or as_json, of="examples") as progress:
        folder, told = learn(config, out, sets=sets or (), replace=replace, resume=resume, progress=progress)
    say({"folder": str(folder), **told} if as_json else None, f"{pretrained(told)}\n{folder}")


@app.command()
def search(
    config: ConfigFile,
    out: Out,
    trials: Trials = None,
    time: Annotated[str | None, typer.Option(help="How long at most, such as 90s, 30m or 2h; absent: that of [search].")] = None,
    storage: Annotated[
        str | None,
        typer.Option(metavar="URL", help="Where the study is kept, such as postgresql://me:env:PGPASS@host/db; absent: OUT/study.db."),
    ] = None,
    resume: Annotated[bool, typer.Option("--resume", help="Go on with the study; its trials count.")] = False,
    jobs: Annotated[int, typer.Option(help="Processes that try at the same time.")] = 1,
    seed: Annotated[int | None, typer.Option(help="Of what is tried; absent: the config's.")] = None,
    sets: Sets = None,
    quiet: Quiet = False,
    as_json: Json = False,
) -> None:
    """Try options of CONFIG on its validation events; OUT/best.toml is the best of them. The test events are not looked at."""
    from ..jobs.search import left_in
    from ..jobs.search import search as look
    from ..jobs.show import bar, show_found

    seconds = _seconds(time)
    try:
        with bar("trials", quiet or as_json) as told:
            found = look(
                config, out, sets=sets or (), trials=trials, seconds=seconds, storage=storage, resume=resume, jobs=jobs, seed=seed, told=told
            )
    except KeyboardInterrupt:
        if line := left_in(out):
            print(line, file=sys.stderr)
        raise
    if as_json:
        print(json.dumps(found.as_json(), ensure_ascii=False))
        return
    show_found(found)
    best = out / "best.toml"
    print(f"Written: {best}. Next: germane train {best} -o RUN")


@app.command()
def auto(
    events: Annotated[str, typer.Argument(metavar="EVENTS", help="File or glob: csv, tsv, parquet, jsonl.")],
    out: Out,
    items: Annotated[str | None, typer.Option(help="The items' table.")] = None,
    users: Annotated[str | None, typer.Option(help="The users' table.")] = None,
    trials: Trials = None,
    time: Annotated[str, typer.Option(help="How long at most, such as 90s, 30m or 2h: two thirds of it for the search.")] = "30m",
    replace: Replace = False,
    sets: Sets = None,
    quiet: Quiet = False,
    as_json: Json = False,
) -> None:
    """From EVENTS to a run: guess the columns, choose a recipe, search, train, judge on the test events."""
    from dataclasses import asdict

    from ..jobs.auto import auto as make
    from ..jobs.progress import training_bar
    from ..jobs.show import bar, show_found, show_guess

    still = quiet or as_json
    seconds = _seconds(time)
    with bar("trials", still) as tried, training_bar(still, "the winner") as progress:
        made = make(
            *(events, items, users, out),
            seconds=seconds or 0.0,
            trials=trials,
            sets=sets or (),
            replacing=replace,
            guessed=None if still else show_guess,
            said=None if still else lambda line: print(f"recipe: {line}", file=sys.stderr),
            tried=tried,
            progress=progress,
            noted=None if still else lambda note: print(f"note: {note.detail}", file=sys.stderr),
        )
    if as_json:
        told = {"run": str(made.run), "columns": made.guess.columns, "guesses": [asdict(one) for one in made.guess.found]}
        print(json.dumps({**told, "why": made.why, "search": made.found.as_json(), "rows": made.judged.rows}, ensure_ascii=False))
        return
    show_found(made.found)
    print(f"{made.judged}\n{made.run}. Next: germane serve {made.run}")


def _seconds(time: str | None) -> float | None:
    from ..search_space import seconds_of

    try:
        return None if time is None else seconds_of(time)
    except ValueError as error:
        raise ConfigError(f"--time {time!r} {error}.") from None
