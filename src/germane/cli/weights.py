"""Commands about the files of language models."""

from __future__ import annotations

from typing import Annotated

import typer

from .app import Json, say, weights_app


@weights_app.command("list")
def weights_list(as_json: Json = False) -> None:
    """Language models that are known by name."""
    from dataclasses import asdict

    from ..encoders.weights import list_weights

    say([{**asdict(known), "here": known.here} for known in list_weights()] if as_json else None, "\n".join(map(str, list_weights())))


@weights_app.command("get")
def weights_get(name: Annotated[str, typer.Argument(metavar="NAME", help="A name of weights list, or of the hub.")], as_json: Json = False) -> None:
    """Fetch the files of a language model into the cache."""
    from ..encoders.weights import get_weights

    folder = str(get_weights(name, whole=True))
    say({"name": name, "folder": folder} if as_json else None, folder)
