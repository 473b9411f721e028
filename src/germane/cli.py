"""The command line: parse, call the function of that name, print."""

from __future__ import annotations

import json
import sys
import tempfile
import traceback
from pathlib import Path
from typing import Annotated, Any

import typer

from .errors import GermaneError

app = typer.Typer(add_completion=False, no_args_is_help=True, pretty_exceptions_enable=False, help="Recommendations that answer the moment.")
weights_app = typer.Typer(no_args_is_help=True, help="Language models: what is there, and fetching it.")
app.add_typer(weights_app, name="weights")

Sets = Annotated[list[str] | None, typer.Option("--set", help="section.key=value on top of the config; may be repeated.")]
Out = Annotated[Path, typer.Option("-o", "--out", help="Where the result goes.")]
Quiet = Annotated[bool, typer.Option("--quiet", help="No bars.")]
Json = Annotated[bool, typer.Option("--json", help="For machines.")]


@app.command()
def train(
    config: Path, out: Out, replace: bool = False, resume: bool = False, sets: Sets = None, quiet: Quiet = False, as_json: Json = False
) -> None:
    """Train what CONFIG says, judge it on the held-out part, and write the run folder."""
    from .jobs.progress import training_bar
    from .jobs.run import train_run

    with training_bar(quiet or as_json) as progress:
        run, judged = train_run(config, out, sets=sets or (), replace=replace, resume=resume, progress=progress)
    _say({"run": str(run), "rows": judged.rows}, f"{judged}\n{run}", as_json)


@app.command()
def evaluate(run: Path, config: Path | None = None, split: str = "test", sets: Sets = None, as_json: Json = False) -> None:
    """Judge RUN again and rewrite its metrics.json."""
    from .jobs.run import evaluate_run

    judged = evaluate_run(run, config=config, split=split, sets=sets or ())
    _say(judged.rows, str(judged), as_json)


@app.command()
def recommend(
    run: Path,
    queries: Path | None = None,
    n: Annotated[int, typer.Option("-k", help="How many items.")] = 10,
    out: Annotated[Path | None, typer.Option("-o", "--out")] = None,
    items: Annotated[Path | None, typer.Option(help="Items never seen before, to be ranked with the others.")] = None,
    user: str | None = None,
    context: Annotated[list[str] | None, typer.Option(help="name=value; may be repeated.")] = None,
    words: str | None = None,
    time: str | None = None,
    all_users: bool = False,
    seed: int | None = None,
    no_explore: bool = False,
    as_json: Json = False,
) -> None:
    """Answer queries of a file, everyone, or one moment at the terminal."""
    import numpy as np

    from .bundle import load
    from .data.readers import read_files
    from .errors import ConfigError
    from .jobs import recommend as job
    from .types import Query
    from .wire import slate_to_json

    if (queries is not None or all_users) and out is None:
        raise ConfigError("say where the lists go: -o lists.jsonl, .csv or .parquet.")
    if queries is not None:
        slates = job.from_file(run, queries, n, items=items, seed=seed, explore=not no_explore)
    else:
        recommender = load(run)
        if items is not None:
            recommender.add_items(read_files(str(items), Path()).frame)
        if all_users:
            slates = job.everyone(recommender, n, seed=seed, explore=not no_explore)
        else:
            query = Query(user=user, time=time, context=job.context_of(context or ()), words=words)
            rng = np.random.default_rng(recommender.seed if seed is None else seed)
            slate = recommender.recommend(query, n, rng=rng, explore=not no_explore)
            if out is None:
                _say(slate_to_json(slate), "" if as_json else _table(slate, recommender), as_json)
                return
            slates = [slate]
    assert out is not None
    job.write_lists(slates, out)
    print(f"{len(slates)} lists in {out}")


@app.command()
def score(run: Path, pairs: Annotated[Path, typer.Option()], out: Out, head: str | None = None) -> None:
    """Append a score to every row of PAIRS."""
    from .jobs.recommend import score_file

    print(f"{score_file(run, pairs, out, head)} rows in {out}")


@app.command()
def describe(run: Path, as_json: Json = False) -> None:
    """What moments RUN knows, and a query to try."""
    from .bundle import load

    moments = load(run).moments()
    lines = []
    for column in moments["columns"]:
        values = column.get("values")
        shown = ", ".join(f"{v['value']} ({v['count']})" for v in values[:12]) if values else f"{column['low']} to {column['high']}"
        lines.append(f"{column['name']:<16}{column['type']:<10}{shown}")
    _say(moments, "\n".join([*lines, f"typed words: {'yes' if moments['words'] else 'no'}", "try: " + json.dumps(moments["example"])]), as_json)


@app.command()
def init(events: str, items: str | None = None, users: str | None = None, out: Out = Path("germane.toml"), replace: bool = False) -> None:
    """Guess what the columns of EVENTS mean and write a commented config."""
    from .jobs.init import init as write_config

    path, found = write_config(events, items, users, out, replace)
    for meaning, name in [*found.meanings.items(), ("context", found.context), ("text", found.text), ("side", found.side)]:
        print(f"{meaning:<10}{name if isinstance(name, str) else ', '.join(name) or 'none'}")
    print(f"Written: {path}. Read it, then germane check {path} and germane train {path} -o runs/first")


@app.command()
def check(config: Path, sets: Sets = None) -> None:
    """Read CONFIG and its data and say what is wrong, before anything is trained."""
    from .config import Config

    read = Config.read(config, sets or ())
    dataset = read.dataset()
    split = read.split.divide(dataset)
    read.recommender(dataset)
    print(f"{dataset}\n{split}")
    for note in dataset.notes:
        print(f"note: {note.detail}")


@app.command()
def demo(out: Out = Path("runs/demo"), no_serve: bool = False, quiet: Quiet = False) -> None:
    """Train on MovieLens 100K by time and leave-last-out, and print the table beside the baselines."""
    from .jobs.demo import demo as run_demo

    run_demo(out, quiet=quiet)
    if not no_serve:
        serve(out)


@app.command()
def serve(run: Path, store: str | None = None, host: str = "127.0.0.1", port: int = 8000) -> None:
    """Answer over HTTP, with a page to try it, on this machine only."""
    from .serving import serve as run_service

    run_service(run, store, host, port)


@weights_app.command("list")
def weights_list() -> None:
    """Language models that can be had without a hub."""
    from .encoders.weights import list_weights

    for known in list_weights():
        print(known)


@weights_app.command("get")
def weights_get(name: str) -> None:
    """Fetch the files of a language model into the cache."""
    from .encoders.weights import get_weights

    print(get_weights(name))


def main() -> None:
    """Run a command. Exit codes: 0 done, 2 something the user can mend, 3 our fault, 130 interrupted."""
    try:
        app(standalone_mode=False)
    except GermaneError as error:
        print(error, file=sys.stderr)
        sys.exit(error.exit_code)
    except (KeyboardInterrupt, typer.Abort):
        sys.exit(130)
    except typer.Exit as done:
        sys.exit(done.exit_code)
    except Exception as error:
        show = getattr(error, "show", None)
        if show is not None:  # a usage error: which option, what is allowed
            show()
            sys.exit(2)
        with tempfile.NamedTemporaryFile("w", prefix="germane-", suffix=".txt", delete=False) as report:
            report.write(traceback.format_exc())
        print(f"This is a fault of Germane ({type(error).__name__}). A report lies in {report.name}.", file=sys.stderr)
        sys.exit(3)


def _say(value: Any, text: str, as_json: bool) -> None:
    print(json.dumps(value, ensure_ascii=False) if as_json else text)


def _table(slate: Any, recommender: Any) -> str:
    from rich.console import Console
    from rich.table import Table

    table = Table(title=f"for {slate.user or 'a visitor'}")
    shown = next((c for c in recommender.columns.text if c in recommender.items.columns), None)
    for name in ("", "item", *([shown] if shown else []), "score", "chance", "mostly because"):
        table.add_column(name)
    for place in slate.items:
        row = recommender.items[recommender.item_codes[place.item]]
        text = [str(row[shown][0])] if shown else []
        reasons = sorted(place.reasons, key=lambda reason: -reason.weight)[:2]
        table.add_row(
            str(place.position), place.item, *text, f"{place.score:.3f}", f"{place.propensity:.3f}", "; ".join(reason.text for reason in reasons)
        )
    console = Console()
    with console.capture() as captured:
        console.print(table)
        for note in slate.notes:
            console.print(f"note: {note.detail}")
    return captured.get().rstrip()
