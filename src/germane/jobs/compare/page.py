"""A report as one HTML file: no script, no address outside it."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from html import escape
from importlib.resources import files
from typing import Any

from ...evaluation import OF_ROWS
from ..figures import interval, number, p_value
from .plots import DASHES, intervals, lines, marker

__all__ = ["page_of"]

POLICY = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'"


def page_of(report: Mapping[str, Any]) -> str:
    """``report``: what ``report_of`` gave."""
    names = [run["name"] for run in report["runs"]]
    title = "Comparison of " + ", ".join(names[:-1]) + f" and {names[-1]}"
    sections = [(key, head, inner) for key, head, make in SECTIONS if (inner := make(report))]
    links = "".join(f'<li><a href="#{key}">{head}</a></li>' for key, head, _ in sections)
    more = "".join(f"<p>{escape(said)}</p>" for said in [*report["verdict"][1:], *report["not_compared"]])
    body = "".join(
        f'<section id="{key}" aria-labelledby="{key}-head"><h2 id="{key}-head">{head}</h2>{inner}</section>' for key, head, inner in sections
    )
    head = (
        '<meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">'
        f'<meta http-equiv="Content-Security-Policy" content="{POLICY}"><title>{escape(title)}</title><style>{_css()}</style>'
    )
    lead = f'<h1>{escape(title)}</h1><p class="lead">{escape(report["verdict"][0])}</p>{more}<nav aria-label="Sections"><ul>{links}</ul></nav>'
    foot = f"Written by Germane {escape(report['germane'])}. The same figures stand in the JSON file beside this one."
    return (
        f'<!doctype html>\n<html lang="en"><head>{head}</head><body><a class="skip" href="#quality">To the figures</a>'
        f"<header>{lead}</header><main>{body}</main><footer><p>{foot}</p></footer></body></html>\n"
    )


def _css() -> str:
    return files(__package__).joinpath("report.css").read_text(encoding="utf-8")


def _legend(report: Mapping[str, Any]) -> str:
    items = []
    for place, run in enumerate(report["runs"]):
        dash = f' stroke-dasharray="{DASHES[place]}"' if DASHES[place] else ""
        line = f'<line class="line-{place + 1}"{dash} x1="0" x2="44" y1="8" y2="8" stroke-width="2"/>'
        items.append(f'<li><svg viewBox="0 0 44 16" aria-hidden="true">{line}{marker(place, 22, 8)}</svg>{escape(run["name"])}</li>')
    return f'<ul class="legend" aria-label="Runs">{"".join(items)}</ul>'


def _quality(report: Mapping[str, Any]) -> str:
    if not report["quality"]:
        return ""
    figure = report["figure"]
    better = "less is better" if report["smaller_is_better"] else "more is better"
    shown = [(_segment(line), line["runs"]) for line in report["quality"]]
    plot = intervals(shown, f"{figure} of each run by segment, with 95 % intervals; the table below holds the figures")
    rows = [[_segment(line), *(_figure(figure, p) for figure, p in zip(line["runs"], line["p"], strict=True))] for line in report["quality"]]
    names = [run["name"] for run in report["runs"]]
    caption = f"{figure}, {better}, with 95 % intervals and the number judged; p: as trained against the variant{_tested(report)}"
    asked = "asked for its own item" if report["metric"] in OF_ROWS else "the whole catalogue is ranked"
    how = f"Every held-out event is a case, {asked}. " + _ground(report["runs"])
    return f'<p class="soft">{how}</p>{_legend(report)}<div class="beside"><figure>{plot}</figure>{_table(caption, ["", *names], rows)}</div>'


def _tested(report: Mapping[str, Any]) -> str:
    """On which figure p of variants and baselines is, where that is not the one shown."""
    others = {run["p_metric"] for run in report["runs"]} - {report["figure"], None}
    return f", on {' or '.join(sorted(others))}" if others else ""


def _baselines(report: Mapping[str, Any]) -> str:
    if not report["baselines"]:
        return ""
    own = next((line["runs"] for line in report["quality"] if (line["segment"], line["variant"]) == ("all", "as trained")), None)
    rows: list[list[str]] = [["the run itself", *(_figure(figure, None) for figure in own)]] if own else []
    for line in report["baselines"]:
        told = zip(line["runs"], line["p"], line["better"], strict=True)
        rows.append([_class(line["baseline"]), *(_rival(figure, p, better) for figure, p, better in told)])
    caption = f"{report['figure']} of all cases, with 95 % intervals and the number judged; p: the run against the baseline{_tested(report)}"
    how = (
        "Each run beside the baselines that were judged on the same cases. Two-sided paired permutation tests over users, from when the run was "
        "judged; p is of one test alone, and below .05 one of the two is called better."
    )
    return f'{_table(caption, ["", *(run["name"] for run in report["runs"])], rows)}<p class="soft">{how}</p>'


def _class(name: str) -> _Html:
    """Broken between its words where a phone has no room for it."""
    return _Html(re.sub("(?<=[a-z])(?=[A-Z])", "<wbr>", escape(name)))


def _rival(figure: Mapping[str, Any] | None, p: float | None, better: str | None) -> _Html:
    if p is None:
        return _figure(figure, p)
    word = {"run": "run is better", "baseline": "baseline is better", None: "not shown to differ"}[better]
    return _Html(f'{_figure(figure, p)}<span class="range{" sure" * (better is not None)}">{word}</span>')


def _ground(runs: Sequence[Mapping[str, Any]]) -> str:
    """What was held out; run by run where that differs, since figures on other ground say nothing about each other."""
    grounds = [f"{run['protocol']}, {run['split']} part" if run["protocol"] else "not judged" for run in runs]
    if len({(ground, run["data"].get("fingerprint")) for ground, run in zip(grounds, runs, strict=True)}) == 1:
        return escape(f"Held out: {grounds[0]}.")
    said = "; ".join(f"{run['name']}: {ground}" for run, ground in zip(runs, grounds, strict=True))
    return escape(f"Not all stand on the same ground, and figures on other ground say nothing about each other: {said}.")


def _segment(line: Mapping[str, Any]) -> str:
    return str(line["segment"]) if line["variant"] == "as trained" else str(line["variant"])


def _figure(figure: Mapping[str, Any] | None, p: float | None) -> _Html:
    if figure is None:
        return _Html("—")
    value, _, rest = interval(figure).partition(" ")
    parts = [*([rest.strip("()")] if rest else []), f"n = {figure['n']:,}", *([_p(p)] if p is not None else [])]
    return _Html(f"{value}" + "".join(f'<span class="range">{escape(part)}</span>' for part in parts))


def _tests(report: Mapping[str, Any]) -> str:
    several = len(report["runs"]) > 2
    rows = []
    for test in report["tests"]:
        shown = _Html(f'<span class="sure">{escape(test["better"])} is better</span>') if test["better"] else "not shown to differ"
        gap = {"value": test["difference"], "low": test["low"], "high": test["high"]}
        pair = [f"{test['before']} → {test['after']}"] if several else []
        ps = [_Html(f'<span class="kept">{escape(p_value(test[name]))}</span>') for name in ("p_adjusted", "p")]
        rows.append([test["segment"], *pair, shown, _figure_of(gap), *ps, f"{test['users']:,}"])
    pair_of = "" if several else f", {report['runs'][1]['name']} less {report['runs'][0]['name']}"
    caption = f"{report['metric']}: differences{pair_of}, over the users that both runs were judged on"
    head = ["segment", *(["runs"] if several else []), "says", "difference (95 %)", "p, adjusted", "p", "users"]
    how = (
        "Two-sided paired permutation tests over users; p is adjusted for all tests of this table (Holm), and below .05 a run is called better. "
        "One seed each: what another seed would give is not tested."
    )
    return f'{_table(caption, head, rows)}<p class="soft">{how}</p>'


def _figure_of(figure: Mapping[str, Any]) -> _Html:
    value, _, rest = interval(figure).partition(" ")
    return _Html(f'{value}<span class="range">{escape(rest.strip("()"))}</span>')


def _p(p: float) -> str:
    shown = p_value(p)
    return f"p {shown}" if shown.startswith("<") else f"p = {shown}"


def _cost(report: Mapping[str, Any]) -> str:
    runs = report["runs"]
    stages = list(dict.fromkeys(stage for run in runs for stage in run["seconds"]))
    stages = [*(stage for stage in stages if stage != "total"), *(["total"] if "total" in stages else [])]

    def line(name: str, tell: Any) -> list[Any]:
        return [name, *(tell(run) for run in runs)]

    def count(name: str) -> Any:
        return lambda run: f"{run['parameters'][name]:,}" if name in run["parameters"] else "—"

    def energy(run: Mapping[str, Any]) -> str:
        wh = run["energy"]["wh"]
        return "—" if wh is None else f"{number(wh)} Wh" + (" (estimate)" if run["energy"]["estimated"] else "")

    rows = [
        *(
            line("seconds, in all" if stage == "total" else f"seconds, {stage}", lambda run, s=stage: _seconds(run["seconds"].get(s)))
            for stage in stages
        ),
        line("best epoch", lambda run: str(run["epochs"]) if run["epochs"] else "—"),
        line("memory at most", lambda run: f"{run['peak_mb']:,.0f} MB" if run["peak_mb"] else "—"),
        line("energy", energy),
        line("parameters", count("total")),
        line("parameters trained", count("trainable")),
        line("language model's parameters", count("text_total")),
        line(
            "language model's, trained",
            lambda run: f"{run['text_trained_share']:.2%}".replace("%", " %") if run["text_trained_share"] is not None else "—",
        ),
        line("model.safetensors", lambda run: _size(run["bytes"]["model"])),
        line("run folder", lambda run: _size(run["bytes"]["run"])),
    ]
    guessed = any(run["energy"]["estimated"] for run in runs)
    how = f"Estimates of energy: seconds of busy cores at {report['watts']:g} W each, since this machine does not count energy." if guessed else ""
    note = f'<p class="soft">{how}</p>' if how else ""
    return _table("Time and energy are those of the machine that trained the run", ["", *(run["name"] for run in runs)], rows) + note


def _curves(report: Mapping[str, Any]) -> str:
    plots, rows = [], []
    for key, title in (("loss", "Training loss"), ("validation", "Validation figure")):
        if any(curve[key] for curve in report["curves"]):
            drawn = lines([curve[key] for curve in report["curves"]], f"{title} of each run by epoch", "epoch")
            plots.append(f"<figure><figcaption>{title}</figcaption>{drawn}</figure>")
    if not plots:
        return ""
    for curve in report["curves"]:
        rows += [[curve["run"], f"{at:g}", number(value)] for at, value in curve["validation"]]
    table = _table("Validation figure at the end of each epoch", ["run", "epoch", "figure"], rows)
    more = f"<details><summary>Validation figures</summary>{table}</details>" if rows else ""
    other = "Losses of other kinds or heads are on other scales: then only their course can be compared."
    return f'{_legend(report)}<div class="plots">{"".join(plots)}</div><p class="soft">{other}</p>{more}'


def _lists(report: Mapping[str, Any]) -> str:
    first = report["runs"][0]["name"]
    parts = []
    for shown in report["lists"]:
        past = f"<p>Last took: {escape(' · '.join(shown['last']))}. Then took: <strong>{escape(shown['took'])}</strong>.</p>" if shown["took"] else ""
        columns = "".join(_list(place, one, shown["took"]) for place, one in enumerate(shown["runs"]))
        parts.append(f'<h3>{escape(shown["who"])}</h3><p class="soft">{escape(shown["why"])}</p>{past}<div class="lists">{columns}</div>')
    if not parts:
        return ""
    how = f"Moves are against the list of {escape(first)}. Users are asked again in the moment of their last event, as if it had not happened yet."
    return f'<p class="soft">{how}</p>{"".join(parts)}'


def _list(place: int, one: Mapping[str, Any], took: str | None) -> str:
    items = []
    for item in one["items"]:
        mine = ' class="took"' if took is not None and item["name"] == took else ""
        items.append(f"<li{mine}><span>{item['position']}</span><span>{escape(item['name'])}</span>{_move(place, item)}</li>")
    where = "" if took is None else f'<p class="soft">What was taken stands at place {one["taken_place"]}.</p>'
    if took is not None and one["taken_place"] is None:
        where = '<p class="soft">What was taken is not among the first 100.</p>'
    icon = f'<svg viewBox="0 0 16 16" aria-hidden="true">{marker(place, 8, 8)}</svg>'
    return f"<div><h4>{icon}{escape(one['run'])}</h4><ol>{''.join(items)}</ol>{where}</div>"


def _move(place: int, item: Mapping[str, Any]) -> str:
    if place == 0:
        return '<span class="move">only here</span>' if item["alone"] else "<span></span>"
    moved = item["moved"]
    if moved is None:
        return '<span class="move new">new</span>'
    if moved == 0:
        return '<span class="move"><span aria-hidden="true">=</span><span class="hidden">same place</span></span>'
    arrow, word = ("▲", "up") if moved > 0 else ("▼", "down")
    return f'<span class="move {word}"><span aria-hidden="true">{arrow} {abs(moved)}</span><span class="hidden">{word} {abs(moved)}</span></span>'


def _options(report: Mapping[str, Any]) -> str:
    names = [run["name"] for run in report["runs"]]
    rows = [[_Html(f"<code>{escape(line['name'])}</code>"), *(_option(value) for value in line["values"])] for line in report["options"]]
    if not rows:
        return "<p>Every option is the same in all runs.</p>"
    return _table("What the runs were told differently, defaults included; — is not said and has no default", ["option", *names], rows)


def _option(value: Any) -> _Html:
    return _Html(f'<span class="option">{escape("—" if value is None else str(value).lower() if isinstance(value, bool) else str(value))}</span>')


def _about(report: Mapping[str, Any]) -> str:
    rows, notes = [], []
    for run in report["runs"]:
        data = run["data"]
        said = f"{data['events']:,} events, {data['users']:,} users, {data['items']:,} items" if "events" in data else "—"
        span = _Html(f"{_day(data['from'])} to {_day(data['to'])}") if data.get("from") else "—"
        rows.append([run["name"], run["model"] or "—", said, span, _day(run["created"]), str(run["seed"]), run["germane"] or "—"])
        notes += [f"<li>{escape(run['name'])}: {escape(note)}</li>" for note in run["notes"]]
    told = f"<details><summary>Noted before training</summary><ul>{''.join(notes)}</ul></details>" if notes else ""
    return _table("What each run is", ["run", "model", "data", "from, to", "trained", "seed", "Germane"], rows) + told


SECTIONS = (
    ("quality", "Quality", _quality),
    ("tests", "How sure", _tests),
    ("baselines", "Beside baselines", _baselines),
    ("cost", "Time, memory, energy, size", _cost),
    ("curves", "Learning curves", _curves),
    ("lists", "Lists side by side", _lists),
    ("options", "Options that differ", _options),
    ("about", "The runs", _about),
)


class _Html(str):
    """Escaped already."""


def _table(caption: str, head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    top = "".join(f'<th scope="col">{escape(name)}</th>' if name else "<td></td>" for name in head)
    return (
        f'<div class="wide" role="region" aria-label="{escape(caption)}" tabindex="0"><table><caption><span>{escape(caption)}</span></caption>'
        f"<thead><tr>{top}</tr></thead><tbody>{''.join(_lines(rows))}</tbody></table></div>"
    )


def _lines(rows: Sequence[Sequence[str]]) -> Iterator[str]:
    for first, *cells in rows:
        yield f'<tr><th scope="row">{_cell(first)}</th>{"".join(f"<td>{_cell(cell)}</td>" for cell in cells)}</tr>'


def _cell(cell: str) -> str:
    return cell if isinstance(cell, _Html) else escape(cell)


def _day(time: str | None) -> _Html:
    return _Html("—" if time is None else f'<span class="kept">{escape(time[:10])}</span>')


def _seconds(seconds: float | None) -> str:
    return "—" if seconds is None else f"{seconds:,.1f}" if seconds < 1000 else f"{seconds:,.0f}"


def _size(size: float | None) -> str:
    """
    >>> _size(2_340_000)
    '2.3 MB'
    """
    return "—" if size is None else f"{size / 1e6:,.1f} MB" if size >= 1e5 else f"{size / 1e3:,.1f} kB"
