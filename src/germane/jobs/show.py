"""What people see at the terminal: tables and bars. Bars and tables go where nobody parses them."""

from __future__ import annotations

import json
import shlex
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from ..recommender import Recommender
from ..types import Slate
from .guess import Guess

if TYPE_CHECKING:
    from .search import Found

__all__ = ["bar", "doing", "pretrained", "show_found", "show_guess", "show_moments", "show_slate"]


LONG = 80
"""Signs of an item's text, which may be a whole book."""
SHOWN, MATTERED = 10, 5
"""Trials, and options of each, that fit into a terminal."""


def show_slate(slate: Slate, recommender: Recommender, console: Console | None = None) -> None:
    """A list as a table: place, item, its first text, score, its chance where the policy explores, and what speaks most for it."""
    console = console or Console()
    title = next((name for name in recommender.columns.text if name in recommender.catalogue.items.columns), None)
    explores = any(shown.propensity < 1 for shown in slate.items)
    table = Table(title=Text(f"for {slate.user or 'a visitor'}"), title_justify="left")
    table.add_column("", justify="right")
    for name in ("item", *([title] if title else [])):
        table.add_column(Text(name), overflow="fold")
    for name in ("score", *(["chance"] if explores else [])):
        table.add_column(name, justify="right")
    table.add_column("mostly because it …")
    for shown in slate.items:
        said = [] if title is None else [_short(recommender.catalogue.items[recommender.catalogue.codes[shown.item], title])]
        chance = [f"{shown.propensity:.3f}"] if explores else []
        best = sorted((reason for reason in shown.reasons if reason.weight > 0), key=lambda reason: -reason.weight)[:2]
        because = "; ".join(f"{reason.text} ({reason.weight:+.2f})" for reason in best)
        table.add_row(str(shown.position), *(Text(cell) for cell in (shown.item, *said, f"{shown.score:.3f}", *chance, because)))
    console.print(table)
    for note in slate.notes:
        console.print(Text(f"note: {note.detail}"))


def show_guess(found: Guess, console: Console | None = None) -> None:
    """What each column was taken for, and why."""
    table = Table()
    for name in ("table", "column", "taken as", "because"):
        table.add_column(name, overflow="fold")
    for guessed in found.found:
        style = "" if guessed.meaning else "dim"
        table.add_row(*(Text(cell, style) for cell in (guessed.table, guessed.column, guessed.meaning or "left out", guessed.why)))
    (console or Console()).print(table)


def show_found(found: Found, console: Console | None = None) -> None:
    """The best trials of a search beside the config as it stood, and which options mattered."""
    console = console or Console()
    judged = [one for one in found.attempts if one.validation is not None]
    order = sorted(judged, key=lambda one: (not one.may_win, (one.validation or 0.0) * (1 if found.smaller_is_better else -1)))
    shown = order[:SHOWN] + [one for one in order[SHOWN:] if one.own]
    options = list(found.importances) or list(found.best.options)
    table = Table()
    for name in ("trial", found.metric, "epochs", "seconds"):
        table.add_column(name, justify="right")
    table.add_column("options that mattered" if found.importances else "options", overflow="fold")
    for one in shown:
        said = ["the config as it stood:"] if one.own else [f"{one.state}:"] if one.state != "done" else []
        values = ", ".join(f"{name.rpartition('.')[2]} {_cell(one.options.get(name))}" for name in options[:MATTERED])
        cells = (str(one.number), f"{one.validation:.4f}", str(one.epochs or ""), f"{one.seconds or 0:.0f}", " ".join([*said, values]))
        table.add_row(*(Text(cell) for cell in cells))
    console.print(table)
    if found.importances:
        console.print(Text("mattered  " + ", ".join(f"{name} {share:.0%}" for name, share in found.importances.items() if share >= 0.005)))
    for note in found.notes:
        console.print(Text(f"note      {note}"))


def show_moments(told: Mapping[str, Any], console: Console | None = None) -> None:
    """What a run is and what moments it knows, with an example in the forms of the command line and of HTTP."""
    console = console or Console()
    events = "" if told["events"] is None else f", {told['events']:,} events"
    for name, value in (
        ("run", f"{told['run']} ({told['version']}, {told['created']})"),
        ("model", told["model"]),
        *([("", told["ranker"])] if "ranker" in told else []),
        ("text", told["text"]),
        ("policy", told["policy"]),
        ("data", f"{told['users']:,} users, {told['items']:,} items{events}"),
        ("words", "typed words are read" if told["words"] else "typed words are not read"),
    ):
        console.print(Text(f"{name:<8}{value}"), soft_wrap=True)
    table = Table()
    for name in ("context", "type", "values, the most frequent first"):
        table.add_column(name, overflow="fold")
    for column in told["columns"]:
        table.add_row(*(Text(cell) for cell in (column["name"], column["type"], _values(column))))
    if told["columns"]:
        console.print(table)
    example = told["example"]
    words = [f"--user {_shell(example['user'])}"] if "user" in example else []
    words += [f"--context {_shell(f'{name}={value}')}" for name, value in example["context"].items()]
    words += [f"--words {_shell(example['words'])}"] if "words" in example else []
    console.print(Text(" ".join(["try     germane recommend", _shell(told["run"]), *words])), soft_wrap=True)
    console.print(Text("or      " + json.dumps(example, ensure_ascii=False)), soft_wrap=True)


def pretrained(told: Mapping[str, Any]) -> str:
    """What ``pretraining.json`` says, for people."""
    loss = told["loss"]
    if told["objective"] == "contrastive":
        learned = ", ".join(f"{n:,} pairs {kind}" for kind, n in told["pairs"].items())
        beside = f"chance {told['chance']:.3f}"
    else:
        learned = f"{told['texts']:,} texts"
        head = f"a head fitted on the frozen model for {told['head_steps']:,} steps" if told["head_steps"] else "the model as it came"
        beside = f"({head}), word frequencies {loss['unigram']:.3f}"
    steps = f"{told['steps']:,} steps, the best weights those of step {told['best_step']:,}"
    return f"{told['objective']}: {learned}, {steps}\nheld-out loss: after {loss['after']:.3f}, before {loss['before']:.3f} {beside}"


@contextmanager
def bar(what: str, quiet: bool = False) -> Iterator[Callable[[int, int], None] | None]:
    """A bar on the error stream that hears how many of how many are done; none when quiet or nobody looks."""
    console = Console(stderr=True)
    if quiet or not console.is_terminal:
        yield None
        return
    from rich.progress import Progress

    with Progress(console=console, transient=True) as progress:
        task = progress.add_task(what, total=None)
        yield lambda done, of: progress.update(task, completed=done, total=of)


@contextmanager
def doing(quiet: bool = False) -> Iterator[Callable[[str], object]]:
    """A line on the error stream that says what is done now, where nobody knows how much of it there is; none when quiet or nobody looks."""
    console = Console(stderr=True)
    if quiet or not console.is_terminal:
        yield lambda what: None
        return
    with console.status("") as status:
        yield lambda what: status.update(Text(f"{what} …"))


def _values(column: Mapping[str, Any]) -> str:
    if column.get("values"):
        shown = [f"{value['value']} ({value['count']})" for value in column["values"][:12]]
        more = len(column["values"]) - len(shown)
        return ", ".join(shown) + (f" and {more} more" if more else "")
    ends = [f"{end:g}" if isinstance(end, float) else str(end) for end in (column.get("low", ""), column.get("high", ""))]
    return " to ".join(ends) if "low" in column else ""


def _cell(value: Any) -> str:
    if value is None:
        return ""
    return ", ".join(map(str, value)) if isinstance(value, list) or hasattr(value, "to_list") else str(value)


def _short(value: Any) -> str:
    """In one line.

    >>> _short("a b " * 30)
    'a b a b a b a b a b a b a b a b a b a b a b a b a b a b a b a b a b a b a b a b…'
    """
    text = " ".join(_cell(value)[: 4 * LONG].split())
    return text if len(text) <= LONG else f"{text[: LONG - 1].rstrip()}…"


def _shell(word: object) -> str:
    return shlex.quote(str(word))
