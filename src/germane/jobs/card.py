"""The card of a run: what it is, what it was made from, how well it does and for whom, and what it is not for."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from ..encoders.weights import known_weights
from ..errors import ConfigError, RunError
from ..seal import about_of, read_json
from .energy import WATTS, estimated_wh
from .figures import first_metric, interval, number, p_value, row_of, smaller_is_better
from .following import without_passwords
from .sensitive import names, read_anyway, reader_of
from .settings import differing, flat

__all__ = ["card", "card_of"]

VARIANTS = {
    "without context": "trained without context",
    "context shuffled": "asked in another's moment",
    "context shuffled within users": "asked in another moment of the same user",
    "context missing": "with context values missing",
    "typos in words": "with typing errors",
    "synonyms in words": "in synonyms",
    "paraphrased words": "in words that were translated and back",
    "typos in texts": "with typing errors in the items' texts",
    "synonyms in texts": "with synonyms in the items' texts",
    "paraphrased texts": "with items' texts that were translated and back",
    "without ranker": "without its second model",
}
FEW, TOO_FEW = 200, 20
"""Users below whom figures say little, and nothing."""


def card_of(run: str | Path) -> str:
    """The card of a run folder, from what its files say now."""
    folder = Path(run)
    if not folder.is_dir():
        raise RunError(f"{folder} is not a run folder: give the folder that germane train wrote.")
    about, metrics = about_of(folder), read_json(folder, "metrics.json")
    try:
        sections = tomllib.loads((folder / "config.toml").read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise RunError(f"{folder / 'config.toml'} cannot be read ({type(error).__name__}): the run is damaged.") from None
    return card(about, metrics.get("rows", []), sections)


def card(about: Mapping[str, Any], rows: Sequence[Mapping[str, Any]], sections: Mapping[str, Any]) -> str:
    """Markdown. ``about``, ``rows``, ``sections``: what ``about.json``, ``metrics.json`` and ``config.toml`` hold."""
    sections = without_passwords(sections)
    blocks = [
        f"# {_model(sections)}",
        _what(about, sections),
        "## Data",
        *_data(about, sections),
        "## Training",
        _training(about, sections),
        "## Figures",
        *_figures(rows),
        "## Limits",
        "\n".join(f"- {limit}" for limit in _limits(about, rows, sections)),
        "## Cost",
        _cost(about),
        "## Licences and versions",
        _licences(about, sections),
    ]
    return "\n\n".join(blocks) + "\n"


def _model(sections: Mapping[str, Any]) -> str:
    return str(sections.get("model", {}).get("use", "ContextTransformer"))


def _what(about: Mapping[str, Any], sections: Mapping[str, Any]) -> str:
    ranker = f", whose best a `{sections['ranker'].get('use')}` orders anew" if "ranker" in sections else ""
    policy = sections.get("policy", {}).get("use", "Greedy")
    return (
        f"A recommender: a `{_model(sections)}`{ranker}, with the policy `{policy}`. "
        f"Trained {about.get('created')}, seed {about.get('seed')}, by Germane {about.get('germane')}. {_texts(sections)}"
    )


def _texts(sections: Mapping[str, Any]) -> str:
    reader = reader_of(sections)
    if reader is None:
        return "It reads no texts."
    text = sections.get("text", {})
    if reader == "PretrainedText":
        model = text.get("model", "all-MiniLM-L6-v2")
        return f"Texts are read by the language model {model}, tuning `{text.get('tuning', 'frozen')}`."
    return f"Texts are read by `{reader}`."


def _data(about: Mapping[str, Any], sections: Mapping[str, Any]) -> Iterator[str]:
    data, said = about.get("data", {}), sections.get("data", {})
    if data:
        span = f", from {data['from']} to {data['to']}" if data.get("from") else ", without times"
        yield f"{data['events']:,} events of {data['users']:,} users with {data['items']:,} items{span}. Fingerprint `{data['fingerprint'][:16]}`."
    else:
        yield "The run does not say what it was trained on: it was saved by a program, not by `germane train`."
    columns = dict(said.get("columns", {}))
    sensitive = columns.pop("sensitive", [])
    lines = [f"| {name} | {_value(value)} |" for name, value in columns.items()]
    if lines:
        yield "\n".join(["| meaning | column |", "|---|---|", *lines])
    elif "use" in said:
        yield f"Columns are those of the source `{said['use']}`."
    rules = flat(said.get("rules", {}))
    if rules:
        yield "Rules: " + ", ".join(f"`{name} = {_value(value)}`" for name, value in rules.items()) + "."
    if named := names(sensitive):
        yield f"Sensitive: {', '.join(named)}. {_read(sections)}"
    else:
        yield "No column is named as sensitive."
    notes = [f"- {note['detail']}" for note in about.get("notes", [])]
    if notes:
        yield "Noted before training:"
        yield "\n".join(notes)


def _read(sections: Mapping[str, Any]) -> str:
    try:
        read = read_anyway(sections)
    except ConfigError:
        return "Whether the model reads them is not known here: the config names a part that is not installed."
    return f"The model reads {', '.join(read)} all the same." if read else "The model reads none of them."


def _training(about: Mapping[str, Any], sections: Mapping[str, Any]) -> str:
    changed = differing(sections)
    lines = [f"| `{name}` | {_value(value)} |" for name, value in changed.items()]
    table = "\n".join(["| option | value |", "|---|---|", *lines]) if lines else "Every option is the default."
    epochs = f"The best epoch was {about['epochs']}. " if about.get("epochs") else ""
    return f"{epochs}Options that differ from the defaults:\n\n{table}" if lines else f"{epochs}{table}"


def _figures(rows: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    metric = first_metric(rows)
    if metric is None:
        yield "Nothing was held out, so there are none."
        return
    better = "less is better" if smaller_is_better(metric) else "more is better"
    yield f"{metric} ({better}) on the {rows[0]['split']} part, {rows[0]['protocol']}, with 95 % intervals over users or rows."
    lines = [
        f"| {row['name']} | {row['variant']} | {row['segment']} | {row['n']:,} | {interval(row['metrics'].get(metric))} |"
        for row in rows
        if metric in row["metrics"] and (row["name"] == rows[0]["name"] or row["segment"] == "all")
    ]
    yield "\n".join(["| model | variant | segment | n | figure |", "|---|---|---|---:|---|", *lines])
    against = rows[0].get("p_against") or {}
    if against:
        yield "Paired tests of the run: " + "; ".join(f"against {name} p = {p_value(p)}".replace("= <", "<") for name, p in against.items()) + "."


def _limits(about: Mapping[str, Any], rows: Sequence[Mapping[str, Any]], sections: Mapping[str, Any]) -> Iterator[str]:
    metric = first_metric(rows)
    if metric is not None:
        yield from _of_segments(metric, rows)
        yield from _of_rivals(metric, rows)
        if rows[0]["n"] < FEW:
            yield f"Figures rest on {rows[0]['n']:,} users or rows: the intervals are wide."
        if rows[0]["split"] == "validation":
            yield "Figures are of the part that also chose the epochs: they flatter."
        yield "Figures are of one seed: another one may differ by as much as two close models do."
    else:
        yield "Nothing is known of how well it does: nothing was held out."
    until = about.get("data", {}).get("to")
    if until:
        yield f"It knows nothing of what happened after {until}."
    if sections.get("policy", {}).get("use", "Greedy") == "Greedy":
        yield "Its lists do not explore, so what is logged under it cannot tell how another policy would have done."
    yield "Whether it treats groups of users or items alike was not looked at."


def _of_segments(metric: str, rows: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    def figure(segment: str) -> Mapping[str, Any] | None:
        row = row_of(rows, segment)
        return {"n": row["n"], **row["metrics"][metric]} if row is not None and metric in row["metrics"] else None

    for segment, who, beside in (
        ("new items", "Items without training events", "known items"),
        ("new users", "Users without training events", "all"),
        ("sparse users", "Users with fewer than ten training events", "all"),
    ):
        own, other = figure(segment), figure(beside)
        if own is None:
            if segment != "sparse users":
                yield f"{who} were not among what it was judged on: how it does there is not known."
        elif own["n"] < TOO_FEW:
            yield f"{who}: {own['n']} of them were judged, too few to tell."
        elif other is not None:
            lower, upper = (own["high"], other["low"]) if not smaller_is_better(metric) else (other["high"], own["low"])
            said = "it does worse there" if lower < upper else "no worse there, as far as the intervals tell"
            against = "known items" if beside == "known items" else "all"
            yield f"{who}: {interval(own)}, against {interval(other)} on {against}; {said}."


def _of_rivals(metric: str, rows: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    own = row_of(rows)
    for name, p in (rows[0].get("p_against") or {}).items():
        alone = [row for row in rows if row["segment"] == "all" and name in (row["variant"], row["name"]) and row is not own]
        rival = next((row for row in alone if row["variant"] == name or row["variant"] == "as trained"), None)
        if own is None or rival is None or metric not in rival["metrics"]:
            continue
        gap = own["metrics"][metric]["value"] - rival["metrics"][metric]["value"]
        ahead = (gap < 0) == smaller_is_better(metric) and gap != 0
        said = name if rival["variant"] == "as trained" else f"itself {VARIANTS.get(name, f'as {name}')}"
        if p >= 0.05:
            yield f"It is not shown to differ from {said} (p = {p_value(p)})."
        elif not ahead:
            yield f"It is worse than {said}: {number(own['metrics'][metric]['value'])} against {number(rival['metrics'][metric]['value'])}."


def _cost(about: Mapping[str, Any]) -> str:
    seconds, parameters, energy = about.get("seconds", {}), about.get("parameters", {}), about.get("energy_wh")
    stages = ", ".join(f"{name} {value:,.1f} s" for name, value in seconds.items() if name != "total")
    parts = [f"{seconds['total']:,.1f} s in all ({stages})"] if "total" in seconds else []
    if (peak := about.get("peak_mb")) is not None and peak == peak:
        parts.append(f"{peak:,.0f} MB of memory at most")
    if energy is not None:
        parts.append(f"{energy:g} Wh of the whole machine")
    elif (busy := about.get("cpu_seconds")) is not None:
        parts.append(f"energy not counted on this machine: some {estimated_wh(busy):.2g} Wh at {WATTS:g} W a busy core, an estimate")
    if parameters:
        text = parameters.get("text_total", 0)
        own = f"{parameters['total']:,} parameters, {parameters['trainable']:,} of them trained"
        parts.append(own + (f"; of the language model {text:,}, {parameters.get('text_trainable', 0):,} trained" if text else ""))
    return "; ".join(parts) + "."


def _licences(about: Mapping[str, Any], sections: Mapping[str, Any]) -> str:
    versions = ", ".join(f"{name} {said}" for name, said in about.get("versions", {}).items())
    weights = ""
    if reader_of(sections) == "PretrainedText":
        name = sections.get("text", {}).get("model", "all-MiniLM-L6-v2")
        known = known_weights(str(name))
        weights = f"Weights of {name}: {known.licence if known is not None else 'licence not known here; see where they come from'}. "
    return f"{weights}Germane {about.get('germane')} is Apache-2.0; {versions}."


def _value(value: Any) -> str:
    return (", ".join(map(str, value)) if isinstance(value, list | tuple) else str(value)).replace("|", "\\|").replace("\n", " ")
