"""Files to tables: CSV, TSV, Parquet, JSON Lines, one or many. Text files are read as text throughout, so that ids stay as written."""

from __future__ import annotations

import codecs
import csv
import io
import json
from bisect import bisect_right
from collections.abc import Collection, Iterator, Sequence
from contextlib import suppress
from itertools import islice
from pathlib import Path
from typing import Any

import polars as pl

from ..errors import DataError
from ..paths import matching
from .format import Format
from .tables import Table, refuse_doubled

__all__ = ["read_files"]

SEPARATORS = ",;\t|"
SUFFIXES = {".csv": "text", ".tsv": "text", ".txt": "text", ".parquet": "parquet", ".pq": "parquet", ".jsonl": "lines", ".ndjson": "lines"}
PACKED = {b"\x1f\x8b": "gzip", b"PK\x03\x04": "zip", b"BZh": "bzip2", b"\xfd7zXZ\x00": "xz", b"\x28\xb5\x2f\xfd": "zstandard"}
"""How packed files begin."""
FEW = 100
"""Cells that are looked into, to see whether they are lists."""
PADDED = 0.9
"""Share of cells that begin with a blank, from which on blanks belong to how the file is written."""
_HEAD = 1 << 16
_LONGEST_CELL = 2**31 - 1  # of the messages' reader, whose own limit is 128 KB; more is no C long on every machine


def read_files(
    path: str, base: Path | None, form: Format | None = None, only: Collection[str] | None = None, *, any_suffix: bool = False, skip: int = 0
) -> Table:
    """The table in a file, or in all files that a glob such as ``events/*.parquet`` matches, in order of their names.

    ``base``: the folder of the config that names them; None: they are given on the command line. ``only``: names worth reading; columns of other
    names may be left out. ``any_suffix``: what is no other kind is text. ``skip``: lines of text files to pass over.
    """
    form = form or Format()
    found = matching(path, base or Path())
    if not found:
        full = (base or Path()) / Path(path).expanduser()
        folder = "current folder" if base is None else f"config's folder ({base})"
        raise DataError(f"no file matches {full}: give a path or a glob, relative to the {folder}.")
    tables = [_read(file, form, only, any_suffix, skip) for file in found]
    first = tables[0]
    if len(tables) == 1:
        return first
    for table in tables[1:]:
        if set(table.frame.columns) != set(first.frame.columns):
            differ = sorted(set(table.frame.columns) ^ set(first.frame.columns))
            raise DataError(f"{table.name} and {first.name} differ in the columns {', '.join(differ)}: files of one table have the same columns.")
    try:
        frame = pl.concat([table.frame.select(first.frame.columns) for table in tables], how="vertical_relaxed", rechunk=False)
    except pl.exceptions.PolarsError as error:
        raise DataError(f"the files of {path} do not fit together: {_line(error)}.") from None
    begins = [0]
    for table in tables:
        begins.append(begins[-1] + table.frame.height)

    def where(row: int) -> str:
        which = bisect_right(begins, row) - 1
        return tables[which].place(row - begins[which])

    return Table(frame, path, where, first.decimal, first.header)


def _read(file: Path, form: Format, only: Collection[str] | None, any_suffix: bool, skip: int) -> Table:
    kind = SUFFIXES.get(file.suffix.lower(), "text" if any_suffix else None)
    if kind is None:
        raise DataError(f"{file.name}: files end in {', '.join(SUFFIXES)}; this one ends in {file.suffix or 'nothing'} (unpack packed ones first).")
    try:
        with file.open("rb") as source:
            begins = source.read(max(map(len, PACKED)))
        if packed := next((name for mark, name in PACKED.items() if begins.startswith(mark)), None):
            raise DataError(f"{file.name} is packed ({packed}), whatever its name says: unpack it first.")
        if kind == "text":
            return _read_text(file, form, only, skip)
        return _read_parquet(file, only) if kind == "parquet" else _read_lines(file)
    except OSError as error:
        raise DataError(f"{file} cannot be read: {error.strerror or _line(error)}.") from None


def _read_parquet(file: Path, only: Collection[str] | None) -> Table:
    try:
        scan = pl.scan_parquet(file, glob=False)
        names = scan.collect_schema().names()
        wanted = _wanted(names, only)
        return Table((scan if wanted is None else scan.select(wanted)).collect(), file.name, header=tuple(names))
    except pl.exceptions.PolarsError as error:
        raise DataError(f"{file.name} is no Parquet file that can be read: {_line(error)}.") from None


def _read_lines(file: Path) -> Table:
    with file.open("rb") as source:
        if not source.read(_HEAD).strip():
            return Table(pl.DataFrame(), file.name)
    try:
        with file.open("rb") as source:  # by its path, polars would read a name with brackets as a pattern
            frame = pl.read_ndjson(source, infer_schema_length=None)
        by_hand = any(_holds_lists(column) for column in frame.select(pl.col(pl.String)))
    except pl.exceptions.PolarsError:
        by_hand = True
    if by_hand:
        frame = _lines_by_hand(file)

    def where(row: int) -> str:
        with file.open("rb") as source:
            held = (number for number, line in enumerate(source, 1) if line.strip())
            return f"{file.name}, line {next(islice(held, row, None), row + 1)}"

    return Table(frame, file.name, where)


def _holds_lists(texts: pl.Series) -> bool:
    """Whether polars wrote lists as text, since another cell is one."""
    for cell in texts.filter(texts.str.starts_with("[") & texts.str.ends_with("]")).head(FEW):
        with suppress(ValueError):
            json.loads(cell)
            return True
    return False


def _lines_by_hand(file: Path) -> pl.DataFrame:
    """Slower, but it knows the line at fault, and takes columns whose cells differ in type as text."""
    rows = []
    for number, line in enumerate(file.read_bytes().splitlines(), 1):
        if line.strip():
            try:
                rows.append(json.loads(line))
            except ValueError as error:
                raise DataError(f"{file.name}, line {number}: is no JSON ({error}); each line holds one object.") from None
            if not isinstance(rows[-1], dict):
                raise DataError(f'{file.name}, line {number}: is no JSON object; each line holds one, such as {{"user": "u1", "item": "i1"}}.')
    names = dict.fromkeys(name for row in rows for name in row)
    columns = {}
    for name in names:
        cells = [row.get(name) for row in rows]
        if any(isinstance(cell, list) for cell in cells):  # one value that stands alone is a list of one
            cells = [cell if cell is None or isinstance(cell, list) else [cell] for cell in cells]
            kinds = {type(part) for cell in cells if cell is not None for part in cell if part is not None}
            if len(kinds) > 1 and not kinds <= {int, float}:
                cells = [None if cell is None else [_as_text(part) for part in cell] for cell in cells]
        kinds = {type(cell) for cell in cells if cell is not None}
        mixed = len(kinds) > 1 and not kinds <= {int, float}
        columns[name] = pl.Series(name, [_as_text(cell) for cell in cells] if mixed else cells, strict=False)
    return pl.DataFrame(columns)


def _as_text(cell: object) -> str | None:
    return cell if cell is None or isinstance(cell, str) else json.dumps(cell)


def _read_text(file: Path, form: Format, only: Collection[str] | None, skip: int) -> Table:
    with file.open("rb") as source:
        head = source.read(_HEAD)
    encoding = form.encoding or _encoding(file, head)
    try:
        "".encode(encoding)  # refuses what is no encoding of text, such as base64
        text = codecs.getincrementaldecoder(encoding)(errors="strict").decode(head)
    except UnicodeError as error:
        reason = getattr(error, "reason", error)
        raise DataError(f"{file.name} is not written in {encoding}: {reason}. Say another encoding in [data.format].") from None
    except (LookupError, ValueError):  # the latter: a name that no name can be
        raise DataError(
            f"[data.format] encoding = {encoding!r} is not known: write 'utf-8', 'cp1252', 'latin-1' or another of Python's names."
        ) from None
    text = text.removeprefix("\ufeff")
    if not text.strip():
        raise DataError(f"{file.name} is empty: its first line should name the columns.")
    lines = text.splitlines()[skip : -1 if len(head) == _HEAD else None]
    separator = form.separator or _separator(file, lines)
    quote = '"' if form.quote is None else form.quote
    if quote and separator == "\t" and form.quote is None and _stray_quotes(lines):
        quote = ""
    if quote == separator:
        raise DataError(f"{file.name}: {separator!r} is both separator and quote: say another of one of them in [data.format].")
    names = next(csv.reader(lines, delimiter=separator, **_quoting(quote)))
    if form.header is True:
        names = [name.strip() for name in names]
        refuse_doubled(names, file.name)
    elif form.header is False:
        names = [f"column_{place}" for place in range(1, len(names) + 1)]
    else:
        if len(form.header) != len(names):
            raise DataError(f"{file.name} has {len(names)} columns and [data.format] header names {len(form.header)}.")
        names = list(form.header)
    line_end = "\r" if "\r" in text and "\n" not in text else "\n"  # the former: of old Macs
    frame = _unpadded(_parse(file, encoding, separator, quote, line_end, skip, form.header is True, names, only), names)
    before = skip + (form.header is True)

    def where(row: int) -> str:
        return f"{file.name}, line {_line_of(file, encoding, separator, quote, row + before)}"

    return Table(frame, file.name, where, form.decimal, tuple(names))


def _parse(
    file: Path, encoding: str, separator: str, quote: str, line_end: str, skip: int, header: bool, names: list[str], only: Collection[str] | None
) -> pl.DataFrame:
    plain = encoding.lower().replace("_", "-") in ("utf-8", "utf8", "utf-8-sig", "ascii")
    source = file if plain else io.BytesIO(file.read_bytes().decode(encoding, errors="replace").encode())
    wanted = _wanted(names, only)
    try:
        scan = pl.scan_csv(
            source,
            separator=separator,
            quote_char=quote or None,
            eol_char=line_end,
            has_header=header,
            skip_lines=skip,
            infer_schema=False,
            new_columns=names,
            raise_if_empty=False,
            glob=False,
        )
        return (scan if wanted is None else scan.select(wanted)).collect()
    except pl.exceptions.PolarsError as error:
        width = len(names)
        for number, cells in _rows(file, encoding, separator, quote):
            if len(cells) > width:
                shown = separator.replace("\t", "tab")
                raise DataError(
                    f"{file.name}, line {number}: has {len(cells)} cells where the first line has {width} (separator {shown!r})."
                ) from None
        raise DataError(f"{file.name} cannot be read as {encoding} text with separator {separator!r}: {_line(error)}. See [data.format].") from None


def _unpadded(frame: pl.DataFrame, names: Sequence[str]) -> pl.DataFrame:
    """Where nearly all cells behind the first column begin with a blank, as in ``a, b, c``, blanks around cells are none of theirs."""
    behind = frame.select(name for name in frame.columns if name != names[0])
    there = sum(column.count() for column in behind)
    if not there or sum(column.str.starts_with(" ").sum() for column in behind) < PADDED * there:
        return frame
    bare = pl.all().str.strip_chars(" ")
    return frame.select(pl.when(bare != "").then(bare).name.keep())


def _wanted(names: Sequence[str], only: Collection[str] | None) -> list[str] | None:
    if only is None:
        return None
    return [name for name in names if name in only] or None


def _encoding(file: Path, head: bytes) -> str:
    """UTF-8 unless the bytes say otherwise; then UTF-16 by its mark, else the western code page, which holds all of Latin-1's letters."""
    if head.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return "utf-16"
    decoder = codecs.getincrementaldecoder("utf-8")()
    with file.open("rb") as source:
        while block := source.read(1 << 24):
            try:
                decoder.decode(block)
            except UnicodeDecodeError:
                return _western(file)
    return "utf-8"


def _western(file: Path) -> str:
    try:
        file.read_bytes().decode("cp1252")
    except UnicodeDecodeError:
        return "latin-1"
    return "cp1252"


def _separator(file: Path, lines: Sequence[str]) -> str:
    """The sign that parts the first lines into the most columns, equally many in each; it counts only where it parts the header."""
    if file.suffix.lower() == ".tsv":
        return "\t"
    best, widest = ",", 1
    for sign in SEPARATORS:
        widths = [len(cells) for cells in csv.reader(lines[:50], delimiter=sign) if cells]
        if widths and widths[0] > widest and sum(width == widths[0] for width in widths) >= 0.9 * len(widths):
            best, widest = sign, widths[0]
    if widest == 1:
        in_header = {sign: lines[0].count(sign) for sign in SEPARATORS}
        best = max(in_header, key=lambda sign: in_header[sign])
    return best


def _stray_quotes(lines: Sequence[str]) -> bool:
    """Whether quotes stand in cells as ordinary signs, as in most tab-separated files."""
    cells = [cell for line in lines for cell in line.split("\t") if cell.startswith('"')]
    return any(not cell.endswith('"') or len(cell) == 1 for cell in cells)


def _quoting(quote: str) -> dict[str, Any]:
    return {"quotechar": quote} if quote else {"quoting": csv.QUOTE_NONE}


def _rows(file: Path, encoding: str, separator: str, quote: str) -> Iterator[tuple[int, list[str]]]:
    """(first line, cells) of every row: for messages only."""
    before = csv.field_size_limit(_LONGEST_CELL)
    try:
        with file.open(encoding=encoding, errors="replace", newline="") as source:
            reader = csv.reader(source, delimiter=separator, **_quoting(quote))
            line = 1
            for cells in reader:
                yield line, cells
                line = reader.line_num + 1
    finally:
        csv.field_size_limit(before)


def _line_of(file: Path, encoding: str, separator: str, quote: str, place: int) -> int:
    for number, (line, _) in enumerate(_rows(file, encoding, separator, quote)):
        if number == place:
            return int(line)
    return place + 1


def _line(error: BaseException) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0].rstrip(".")
