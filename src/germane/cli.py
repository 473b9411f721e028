"""The command line: parse, call the function of that name, print."""

from __future__ import annotations

import errno
import json
import os
import platform
import sys
import tempfile
import traceback
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from .errors import ConfigError, GermaneError

app = typer.Typer(
    add_completion=False, no_args_is_help=True, pretty_exceptions_enable=False, rich_markup_mode=None, context_settings={"max_content_width": 110}
)
weights_app = typer.Typer(no_args_is_help=True, help="Language models: which there are, and fetching one.")
app.add_typer(weights_app, name="weights")

Run = Annotated[Path, typer.Argument(metavar="RUN", help="A run folder, as germane train writes it.")]
ConfigFile = Annotated[Path, typer.Argument(metavar="CONFIG", help="A TOML file; germane init writes one from your data.")]
Sets = Annotated[list[str] | None, typer.Option("--set", help="section.key=value on top of the config; may be repeated.")]
Out = Annotated[Path, typer.Option("-o", "--out", help="Where the result goes.")]
Replace = Annotated[bool, typer.Option("--replace", help="Put it in the place of what is there.")]
Quiet = Annotated[bool, typer.Option("--quiet", help="No bars.")]
Trust = Annotated[Path | None, typer.Option(metavar="KEYFILE", help="Refuse a run that the private half of this public key did not sign.")]
Json = Annotated[bool, typer.Option("--json", help="For machines.")]
Seed = Annotated[int | None, typer.Option(help="Of the draws; absent: the config's.")]
Trials = Annotated[int | None, typer.Option(help="How many settings at most; absent: that of [search].")]
NoExplore = Annotated[bool, typer.Option("--no-explore", help="The greedy list, every chance 1.")]


@app.callback(invoke_without_command=True)
def germane(version: Annotated[bool, typer.Option("--version", help="Say the version.")] = False) -> None:
    """Recommendations that answer the moment. Exit codes: 0 done, 2 something to mend, 3 our fault, 130 interrupted."""
    if version:
        from . import __version__

        print(f"germane {__version__}")
        raise typer.Exit(0)


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

    from .jobs.init import init as begin
    from .jobs.show import show_guess

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
    as_json: Json = False,
) -> None:
    """Read CONFIG and its data, say what is wrong, foresee time and memory.

    Some steps of the training are run and timed, which takes some ten seconds; nothing is written.
    """
    from .jobs.check import check as look

    found = look(config, sets=sets or (), timed=not no_estimate)
    _say(found.as_json() if as_json else None, str(found))


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
    from .jobs.progress import training_bar
    from .jobs.run import train_run
    from .training import Processes
    from .types import Note

    notes: list[dict[str, str]] = []

    def noted(note: Note) -> None:
        notes.append({"code": note.code, "detail": note.detail})
        if not (quiet or as_json):
            print(f"note: {note.detail}", file=sys.stderr)

    with training_bar(quiet or as_json) as progress:
        run, judged = train_run(config, out, sets=sets or (), replace=replace, resume=resume, progress=progress, noted=noted, sign=sign)
    if Processes.joined().first:
        _say({"run": str(run), "rows": judged.rows, "notes": notes} if as_json else None, f"{judged}\n{run}")


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
    from .jobs.pretrain import pretrain as learn
    from .jobs.progress import training_bar
    from .jobs.show import pretrained

    with training_bar(quiet or as_json) as progress:
        folder, told = learn(config, out, sets=sets or (), replace=replace, resume=resume, progress=progress)
    _say({"folder": str(folder), **told} if as_json else None, f"{pretrained(told)}\n{folder}")


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
    from .jobs.search import search as look
    from .jobs.show import bar, show_found

    seconds = _seconds(time)
    with bar("trials", quiet or as_json) as told:
        found = look(config, out, sets=sets or (), trials=trials, seconds=seconds, storage=storage, resume=resume, jobs=jobs, seed=seed, told=told)
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

    from .jobs.auto import auto as make
    from .jobs.progress import training_bar
    from .jobs.show import bar, show_found, show_guess

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


@app.command()
def evaluate(
    run: Run,
    config: Annotated[Path | None, typer.Option(help="A TOML file whose [data] and [split] are judged instead of the run's own.")] = None,
    split: Annotated[str, typer.Option(help="test or validation.")] = "test",
    reliability: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Draw the click head's reliability: .svg, .png, or .json for the figures.")
    ] = None,
    trust: Trust = None,
    sets: Sets = None,
    as_json: Json = False,
) -> None:
    """Judge RUN again and rewrite its metrics.json."""
    from .jobs.run import evaluate_run

    judged = evaluate_run(run, config=config, split=split, sets=sets or (), reliability=reliability, trust=trust)
    _say(judged.rows if as_json else None, str(judged) if reliability is None else f"{judged}\n{reliability}")


@app.command()
def recommend(
    run: Run,
    queries: Annotated[Path | None, typer.Option(help="A file of queries, one JSON object a line.")] = None,
    n: Annotated[int, typer.Option("-k", help="How many items, 1 to 1,000.")] = 10,
    out: Annotated[Path | None, typer.Option("-o", "--out", help=".jsonl, .csv, .tsv or .parquet; absent: JSON lines to the terminal.")] = None,
    items: Annotated[Path | None, typer.Option(help="Items never seen before, to be ranked with the others.")] = None,
    user: Annotated[str | None, typer.Option(help="One user, as a table.")] = None,
    context: Annotated[list[str] | None, typer.Option(help="name=value; may be repeated.")] = None,
    words: Annotated[str | None, typer.Option(help="What the user types.")] = None,
    time: Annotated[str | None, typer.Option(help="ISO; absent: the newest training event.")] = None,
    all_users: Annotated[bool, typer.Option("--all-users", help="A list for every known user.")] = False,
    seed: Seed = None,
    no_explore: NoExplore = False,
    trust: Trust = None,
    sets: Sets = None,
    quiet: Quiet = False,
    as_json: Json = False,
) -> None:
    """Answer the queries of a file, everyone, or one moment at the terminal."""
    from .jobs import recommend as job
    from .jobs.output import form_of, write_slates
    from .jobs.show import bar, show_slate
    from .types import Query
    from .wire import slate_to_line

    one = {"--user": user, "--context": context, "--words": words, "--time": time}
    said = [name for name, given in {"--queries": queries, "--all-users": all_users}.items() if given]
    said += [name for name, given in one.items() if given is not None]
    if len(said) > 1 and not set(said) <= one.keys():
        raise ConfigError(f"{' and '.join(said)}: say one of --queries FILE, --all-users, or one moment by {', '.join(one)}.")
    job.check_length(n)
    if out is not None:
        form_of(out)
    query = None if queries or all_users else Query(user=user, time=time, context=job.context_of(context or ()), words=words)
    recommender = job.open_run(run, items=items, sets=sets or (), trust=trust)
    if query is not None:
        slates = iter([job.answer_one(recommender, query, n, seed=seed, explore=not no_explore)])
        if out is None and not as_json:
            show_slate(next(slates), recommender)
            return
    with bar("recommending", quiet) as told:
        if queries is not None:
            slates = job.answer_file(recommender, queries, n, seed=seed, explore=not no_explore, told=told)
        elif all_users:
            slates = job.answer_all(recommender, n, seed=seed, explore=not no_explore, told=told)
        if out is None:
            for slate in slates:
                print(slate_to_line(slate).decode())
            return
        count = write_slates(slates, out)
    _say({"lists": count, "out": str(out)} if as_json else None, f"{count:,} lists in {out}")


@app.command()
def score(
    run: Run,
    pairs: Annotated[Path, typer.Option(help="A table with the config's user and item columns; context columns are read where it has them.")],
    out: Out,
    head: Annotated[str | None, typer.Option(help="click, rating, conversion or ranking; absent: the first of them that the model has.")] = None,
    trust: Trust = None,
    as_json: Json = False,
) -> None:
    """Append a score to every row of PAIRS."""
    from .jobs.score import score_file

    rows, missing = score_file(run, pairs, out, head=head, trust=trust)
    lacking = f"; {missing:,} without a score, as their items are not in the catalogue" if missing else ""
    _say({"rows": rows, "without_score": missing, "out": str(out)} if as_json else None, f"{rows:,} rows in {out}{lacking}")


@app.command()
def compare(
    runs: Annotated[list[Path], typer.Argument(metavar="RUN_A RUN_B …", help="Run folders; the first is the one before.")],
    out: Annotated[Path, typer.Option("-o", "--out", help="An .html file; its figures go beside it as .json.")],
    metric: Annotated[str | None, typer.Option(help="A figure of single users; absent: ndcg@10, or the first that all have.")] = None,
    queries: Annotated[Path | None, typer.Option(help="Show the lists of these queries, one JSON object a line.")] = None,
    watts: Annotated[float, typer.Option(help="Of a busy core, where the machine counted no energy.")] = 10.0,
    replace: Replace = False,
    trust: Trust = None,
    as_json: Json = False,
) -> None:
    """Set runs on the same data side by side: which is better on what and how sure, what it cost, what it shows."""
    from .jobs.compare import compare as set_side_by_side

    report = set_side_by_side(runs, out, metric=metric, queries=queries, watts=watts, replace=replace, trust=trust)
    _say(report if as_json else None, "\n".join([*report["verdict"], *report["not_compared"], str(out)]))


@app.command()
def describe(
    run: Run,
    card: Annotated[bool, typer.Option("--card", help="The run's card, as Markdown.")] = False,
    trust: Trust = None,
    as_json: Json = False,
) -> None:
    """What RUN is, what moments it knows, and a query to try."""
    from .jobs.card import card_of
    from .jobs.describe import describe as tell
    from .jobs.show import show_moments

    told = tell(run, trust=trust)
    if card:
        _say({"card": card_of(run)} if as_json else None, card_of(run))
    elif as_json:
        print(json.dumps(told, ensure_ascii=False))
    else:
        show_moments(told)


@app.command()
def serve(
    run: Run,
    store: Annotated[str | None, typer.Option(help="Where events are kept; absent: $GERMANE_STORE, else sqlite:///germane.db.")] = None,
    host: Annotated[str, typer.Option(help="A loopback address.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="0: any free one.")] = 8000,
    trust: Trust = None,
) -> None:
    """Answer over HTTP, with a page to try it, on this machine only."""
    from .serving import serve as run_service

    run_service(run, store, host, port, trust)


@app.command()
def demo(
    out: Out = Path("runs/demo"),
    no_serve: Annotated[bool, typer.Option("--no-serve", help="End after the table.")] = False,
    port: Annotated[int, typer.Option(help="0: any free one.")] = 8000,
    quiet: Quiet = False,
) -> None:
    """Train on MovieLens 100K, print the table beside the baselines, serve the page."""
    from .jobs.demo import demo as run_demo

    run_demo(out, quiet=quiet)
    if not no_serve:
        serve(out, port=port)


@weights_app.command("list")
def weights_list(as_json: Json = False) -> None:
    """Language models that are known by name."""
    from dataclasses import asdict

    from .encoders.weights import list_weights

    _say([{**asdict(known), "here": known.here} for known in list_weights()] if as_json else None, "\n".join(map(str, list_weights())))


@weights_app.command("get")
def weights_get(name: Annotated[str, typer.Argument(metavar="NAME", help="A name of weights list, or of the hub.")]) -> None:
    """Fetch the files of a language model into the cache."""
    from .encoders.weights import get_weights

    print(get_weights(name))


def main(arguments: Sequence[str] | None = None) -> None:
    """Run a command and leave. Exit codes: 0 done, 1 a negative verdict, 2 something the user can mend, 3 our fault, 130 interrupted."""
    sys.exit(_run(list(sys.argv[1:] if arguments is None else arguments)))


def _run(arguments: list[str]) -> int:
    try:
        code = app(arguments, prog_name="germane", standalone_mode=False)
        sys.stdout.flush()
        return code if isinstance(code, int) else 0
    except GermaneError as error:
        return _fault(str(error), error.exit_code)
    except (KeyboardInterrupt, typer.Abort):
        return 130
    except BrokenPipeError:
        return _nobody_reads()
    except SystemExit as left:  # the parser's way out when nobody reads what is printed; no command leaves so
        return _nobody_reads() if left.code == 1 else int(left.code or 0)
    except MemoryError:
        return _fault("This needs more memory than there is: make training.batch or model.width smaller, or use a larger machine.", 2)
    except Exception as error:
        if callable(show := getattr(error, "show", None)):  # a usage error: which option, what is allowed
            show()
            return 2
        if isinstance(error, OSError) and error.errno in _MENDABLE:
            return _fault(f"{error.strerror}{f': {error.filename}' if error.filename else ''}.", 2)
        return _fault(f"This is a fault of Germane ({type(error).__name__}). A report lies in {_report(arguments)}.", 3)


_MENDABLE = {errno.ENOSPC, errno.EACCES, errno.EPERM, errno.EROFS, errno.EDQUOT, errno.ENOENT, errno.EISDIR, errno.ENOTDIR, errno.ENAMETOOLONG}
"""Of the machine and its files: full, forbidden, not there."""


def _fault(sentence: str, code: int) -> int:
    print(sentence, file=sys.stderr)
    return code


def _nobody_reads() -> int:
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # so that the interpreter's last flush is silent
    return 0


def _report(arguments: Sequence[str]) -> str:
    from . import __version__

    about = f"germane {__version__}, Python {platform.python_version()}, {platform.platform()}\ngermane {' '.join(arguments)}\n\n"
    with tempfile.NamedTemporaryFile("w", prefix="germane-", suffix=".txt", delete=False, encoding="utf-8") as report:
        report.write(about + traceback.format_exc())
    return report.name


def _seconds(time: str | None) -> float | None:
    from .search_space import seconds_of

    try:
        return None if time is None else seconds_of(time)
    except ValueError as error:
        raise ConfigError(f"--time {time!r} {error}.") from None


def _say(value: Any, text: str) -> None:
    print(text if value is None else json.dumps(value, ensure_ascii=False))
