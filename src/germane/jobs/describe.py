"""What a run is, and what moments it knows."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ..seal import about_of
from .opening import open_run

__all__ = ["describe"]


def describe(run: str | Path, *, sets: Sequence[str] = (), trust: str | Path | None = None) -> dict[str, Any]:
    """Its parts, its size, when it was trained, and the answer of ``GET /v1/context``: columns, whether words are read, an example request."""
    recommender = open_run(run, sets=sets, trust=trust)
    about = about_of(Path(run))
    return {
        "run": str(run),
        "version": recommender.version,
        "model": repr(recommender.model),
        "text": repr(recommender.text),
        **({"ranker": about["ranker"]["note"]} if "ranker" in about else {}),
        "policy": repr(recommender.policy),
        "created": about.get("created"),
        "items": recommender.catalogue.items.height,
        "users": len(recommender.people.codes),
        "events": about.get("data", {}).get("events"),
        "parameters": about.get("parameters", {}).get("total"),
        **recommender.moments(),
    }
