"""``germane compare``: runs on the same data set side by side, as a page and as JSON."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ...errors import ConfigError, QueryError
from ...seal import plain
from ..energy import WATTS
from ..output import write_text
from ..recommend import read_queries
from .lists import chosen_users, lists_of
from .page import page_of
from .paired import choose_metric, paired_tests
from .report import report_of
from .runs import read_runs
from .verdict import leader, verdict

__all__ = ["compare"]


def compare(
    runs: Sequence[str | Path],
    out: str | Path,
    *,
    metric: str | None = None,
    queries: str | Path | None = None,
    watts: float = WATTS,
    replace: bool = False,
    trust: str | Path | None = None,
) -> dict[str, Any]:
    """Compare ``runs``, the first being the one before; write the page and its JSON, and give the latter.

    ``metric``: a figure of single users, such as ``ndcg@10``; absent, the first that all have. ``queries``: a file whose queries are answered by each
    run, instead of three users' last moments. ``watts``: of a busy core, where energy was not counted. ``trust``: see ``load``.
    """
    page = Path(out)
    figures = page.with_suffix(".json")
    if page.suffix.lower() not in (".html", ".htm"):
        raise ConfigError(f"{page} ends in {page.suffix or 'nothing'}: a report ends in .html; its figures are written beside it as .json.")
    for path in (page, figures):
        if path.is_dir() or (path.exists() and not replace):
            raise ConfigError(f"{path} exists: choose another file, or add --replace.")
    if not watts > 0:
        raise ConfigError(f"--watts {watts:g}: a busy core draws more than nothing.")
    said = read_queries(Path(queries)) if queries is not None else None
    if said is not None and len(said.lines) > 20:
        raise QueryError(f"{queries} holds {len(said.lines)} queries: a report shows 20 at most.")
    read = read_runs(runs)
    metric = choose_metric(read, metric)
    tests, refused = paired_tests(read, metric)
    alike = [run for run in read[1:] if run.unlike(read[0]) is None]
    best = leader(read, tests, metric)
    rival = next((run for run in alike if run.name == best), alike[0] if alike else None)
    asked = chosen_users(read[0], rival, metric) if rival is not None else []
    lists = lists_of(read, asked, said, trust)
    report: dict[str, Any] = plain(report_of(read, metric, verdict(read, tests, metric), tests, refused, lists, watts))
    shown = page_of(report)
    write_text(json.dumps(report, ensure_ascii=False, indent=1, allow_nan=False), figures)
    write_text(shown, page)
    return report
