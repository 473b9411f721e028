"""The application, what its commands share, and how they say what they did."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any

import typer

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
        from .. import __version__

        print(f"germane {__version__}")
        raise typer.Exit(0)


def say(value: Any, text: str) -> None:
    print(text if value is None else json.dumps(value, ensure_ascii=False))
