"""Commands that ask a run: figures, lists, scores, a page."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from ..errors import ConfigError
from .app import Json, NoExplore, Out, Quiet, Replace, Run, Seed, Sets, Trust, app, say


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
    quiet: Quiet = False,
    as_json: Json = False,
) -> None:
    """Judge RUN again and rewrite its metrics.json."""
    from ..jobs.run import evaluate_run
    from ..jobs.show import bar

    with bar("judging", quiet or as_json) as told:
        judged = evaluate_run(run, config=config, split=split, sets=sets or (), reliability=reliability, trust=trust, told=told)
    say(judged.rows if as_json else None, str(judged) if reliability is None else f"{judged}\n{reliability}")


@app.command()
def soup(
    runs: Annotated[list[Path], typer.Argument(metavar="RUN RUN …", help="Run folders of one model on the same data, trained differently.")],
    out: Out,
    greedy: Annotated[bool, typer.Option("--greedy", help="Only those that do not make the validation figure worse.")] = False,
    replace: Replace = False,
    sets: Sets = None,
    quiet: Quiet = False,
    as_json: Json = False,
) -> None:
    """Average the weights of several runs into one, judged beside them."""
    from ..jobs.show import bar
    from ..jobs.soup import soup as cook

    with bar("judging", quiet or as_json) as told:
        folder, judged = cook(runs, out, greedy=greedy, replace=replace, sets=sets or (), told=told)
    say(judged.rows if as_json else None, f"{judged}\n{folder}")


@app.command()
def recommend(
    run: Run,
    queries: Annotated[Path | None, typer.Option(help="A file of queries, one JSON object a line.")] = None,
    n: Annotated[int, typer.Option("-k", help="How many items, 1 to 1,000.")] = 10,
    out: Annotated[Path | None, typer.Option("-o", "--out", help=".jsonl, .csv, .tsv or .parquet; absent: JSON lines to the terminal.")] = None,
    items: Annotated[Path | None, typer.Option(help="Items never seen before, to be ranked with the others.")] = None,
    user: Annotated[str | None, typer.Option(help="One user, as a table.")] = None,
    context: Annotated[list[str] | None, typer.Option(help="name=value; may be repeated, also with one name for several values.")] = None,
    words: Annotated[str | None, typer.Option(help="What the user types.")] = None,
    time: Annotated[str | None, typer.Option(help="ISO, or epoch seconds or milliseconds; absent: that of the newest event the run knows.")] = None,
    all_users: Annotated[bool, typer.Option("--all-users", help="A list for every known user.")] = False,
    seed: Seed = None,
    no_explore: NoExplore = False,
    trust: Trust = None,
    sets: Sets = None,
    quiet: Quiet = False,
    as_json: Json = False,
) -> None:
    """Answer the queries of a file, everyone, or one moment at the terminal."""
    from ..jobs import recommend as job
    from ..jobs.opening import open_run
    from ..jobs.output import form_of, write_slates
    from ..jobs.show import bar, show_slate
    from ..types import Query
    from ..wire import slate_to_line

    one = {"--user": user, "--context": context, "--words": words, "--time": time}
    said = [name for name, given in {"--queries": queries, "--all-users": all_users}.items() if given]
    said += [name for name, given in one.items() if given is not None]
    if len(said) > 1 and not set(said) <= one.keys():
        raise ConfigError(f"{' and '.join(said)}: say one of --queries FILE, --all-users, or one moment by {', '.join(one)}.")
    job.check_length(n)
    if out is not None:
        form_of(out)
    query = None if queries or all_users else Query(user=user, time=time, context=job.context_of(context or ()), words=words)
    recommender = open_run(run, items=items, sets=sets or (), trust=trust)
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
    say({"lists": count, "out": str(out)} if as_json else None, f"{count:,} lists in {out}")


@app.command()
def score(
    run: Run,
    pairs: Annotated[Path, typer.Option(help="A table with the config's user and item columns; context columns are read where it has them.")],
    out: Out,
    head: Annotated[str | None, typer.Option(help="click, rating, ranking or conversion; absent: the first of them that the model has.")] = None,
    trust: Trust = None,
    sets: Sets = None,
    quiet: Quiet = False,
    as_json: Json = False,
) -> None:
    """Append a score to every row of PAIRS."""
    from ..jobs.score import score_file
    from ..jobs.show import bar

    with bar("scoring", quiet or as_json) as told:
        rows, missing = score_file(run, pairs, out, head=head, sets=sets or (), trust=trust, told=told)
    lacking = f"; {missing:,} without a score, as their items are not in the catalogue" if missing else ""
    say({"rows": rows, "without_score": missing, "out": str(out)} if as_json else None, f"{rows:,} rows in {out}{lacking}")


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
    from ..jobs.compare import compare as set_side_by_side

    report = set_side_by_side(runs, out, metric=metric, queries=queries, watts=watts, replace=replace, trust=trust)
    say(report if as_json else None, "\n".join([*report["verdict"], *report["not_compared"], str(out)]))


@app.command()
def describe(
    run: Run,
    card: Annotated[bool, typer.Option("--card", help="The run's card, as Markdown.")] = False,
    trust: Trust = None,
    sets: Sets = None,
    as_json: Json = False,
) -> None:
    """What RUN is, what moments it knows, and a query to try."""
    from ..jobs.card import card_of
    from ..jobs.describe import describe as tell
    from ..jobs.show import show_moments

    told = tell(run, sets=sets or (), trust=trust)
    if card:
        say({"card": card_of(run)} if as_json else None, card_of(run))
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
    sets: Sets = None,
) -> None:
    """Answer over HTTP, with a page to try it, on this machine only."""
    from ..jobs.opening import open_run
    from ..serving import serve as run_service
    from ..serving.serve import check_host

    check_host(host)
    run_service(open_run(run, sets=sets or (), trust=trust), store, host, port)


@app.command()
def demo(
    out: Out = Path("runs/demo"),
    no_serve: Annotated[bool, typer.Option("--no-serve", help="End after the table.")] = False,
    port: Annotated[int, typer.Option(help="0: any free one.")] = 8000,
    sets: Sets = None,
    quiet: Quiet = False,
    as_json: Json = False,
) -> None:
    """Train on MovieLens 100K, print the table beside the baselines, serve the page."""
    from ..jobs.demo import demo as run_demo

    if as_json:
        rows = run_demo(out, sets=sets or (), quiet=True, say=lambda text: None)
        print(json.dumps({"run": str(out), "rows": rows}, ensure_ascii=False), flush=True)
    else:
        run_demo(out, sets=sets or (), quiet=quiet)
    if not no_serve:
        serve(out, port=port)
