"""The known sources on miniatures in their own forms. All contents are invented; nothing of the real ones may be copied."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from germane.component import exported
from germane.data import ByTime, Dataset, Given, LeaveLastOut, Random, Splitter, check_no_leak, sources
from germane.data.options import DataOptions, open_dataset
from germane.data.sources import Source
from germane.errors import DataError

FRAPPE_HEAD = "user,item,daytime,weekday,isweekend,homework,cost,weather,country,city,"
COMODA_HEAD = (
    "userID,itemID,rating,age,sex,city,country,time,daytype,season,location,weather,social,endEmo,dominantEmo,mood,physical,decision,interaction,"
    "director,movieCountry,movieLanguage,movieYear,genre1,genre2,genre3,actor1,actor2,actor3,budget\n"
)
COMODA = (
    "7,1,4,30,1,10,3,3,1,3,1,-1,2,2,7,2,1,2,1,346,37,9,2010,7,18,18,862,-1,1378,20000000\n"
    "7,2,2,30,1,10,3,-1,-1,-1,-1,-1,-1,7,7,2,-1,-1,-1,12,37,9,1999,3,-1,-1,5,6,7,-1\n"
    "8,1,5,-1,2,3,5,4,2,1,2,5,1,1,4,1,1,1,2,346,37,9,2010,7,18,18,862,-1,1378,20000000\n"
    "9,3,1,900,2,3,5,4,2,1,2,5,1,1,4,1,1,1,2,8,37,9,2001,1,-1,-1,-1,-1,-1,5000\n"
)

MINIATURES: Mapping[str, Mapping[str, bytes]] = {
    "Beauty": {
        "sequences.txt": b"1 1 2 3\n2 3 1\n3 2 3 1 4\n",
        "datamaps.json": b'{"id2user": {"1": "A"}, "id2item": {"1": "B001", "2": "B002", "3": "B003", "4": "B004", "5": "B005"}}',
        "item_texts.txt": b'B003 rose soap\nB001 blue "nail" lacquer\nB002 \nB005 brush\n',
        "item_attributes.json": b'{"1": [10, 2], "3": [7]}',
    },
    "Games": {
        "Games-6k.test.inter": b"user_id:token\titem_id_list:token_seq\titem_id:token\n0\t0 1\t2\n1\t2\t0\n2\t1 2 0\t3\n",
        "Games.item": b'item_id:token\ttitle:token_seq\n0\tRocks &amp; Robots\n1\t The "Last" Pok&eacute;dot\n2\tPad\n3\t\n',
    },
    "Frappe": {
        "events.csv": f"{FRAPPE_HEAD}cnt\n0,0,morning,sunday,weekend,unknown,free,sunny,Spain,0,7\n"
        "1,1,noon,monday,workday,home,paid,unknown,unknown,0,1\n0,1,night,monday,workday,work,paid,rainy,Spain,12,3\n".encode(),
        "valid_pairs.csv": f"{FRAPPE_HEAD}label\n0,1,noon,friday,workday,work,paid,sunny,Peru,9,1\n"
        "0,2,noon,friday,workday,work,paid,sunny,Peru,9,0\n1,0,noon,friday,workday,work,free,sunny,Peru,9,0\n".encode(),
        "items.tsv": (
            "item\tpackage\tcategory\tdownloads\tdeveloper\ticon\tlanguage\tdescription\tname\tprice\trating\tshort desc\n"
            '0\ta.b\tTools\t10,000 - 50,000\tMe\thttp://x\ten\t"Say ""hello"""\t"""Torch"" – ça"\tFree\t4.5\t\n'
            "1\tc.d\tSocial\t10,000+\tYou\thttp://y\tes\tTalks.\tTalk\t$1,002.5\t3\tAll talk\n"
            "2" + "\tunknown" * 11 + "\n"
            "3\te.f\tTools\t10,000+\tYou\thttp://z\tes\tCounts.\tCount\t€\xa00,99\t3\tOne\n"
        ).encode(),
    },
    "LDOSCoMoDa": {"CoMoDa_with_header.csv": (COMODA_HEAD + COMODA).encode()},
    "LastFM": {
        "user_taggedartists.dat": b"userID\tartistID\ttagID\tday\tmonth\tyear\r\n2\t52\t13\t1\t4\t2009\r\n2\t52\t15\t1\t4\t2009\r\n"
        b"2\t52\t14\t1\t5\t2009\r\n2\t60\t13\t9\t11\t1956\r\n\r\n",
        "user_taggedartists_2.dat": b"userID\tartistID\ttagID\tday\tmonth\tyear\r\n3\t52\t16\t5\t6\t2010\r\n3\t77\t99\t1\t1\t2011\r\n",
        "tags.dat": "tagID\ttagValue\r\n13\tslow\r\n14\t80's\r\n15\ttropicália\r\n16\trock, loud\r\n".encode("latin-1"),
        "artists.dat": 'id\tname\turl\tpictureURL\n52\t"Odd" Café\thttp://x\thttp://y\n60\tNobody\thttp://z\t\n61\t무명\thttp://z\t\n'.encode(),
    },
}
SPLITS: Mapping[str, Splitter] = {
    "Beauty": LeaveLastOut(),
    "Games": LeaveLastOut(),
    "Frappe": Given(),
    "LDOSCoMoDa": Random(validation=0.25, test=0.25),
    "LastFM": ByTime(validation=0.25, test=0.25),
}
FILES = [(name, file) for name, files in MINIATURES.items() for file in files if file != "user_taggedartists_2.dat"]
Make = Callable[[str], Path]


@pytest.fixture
def make(tmp_path: Path) -> Make:
    """Write a source's miniature into its folder."""

    def written(name: str) -> Path:
        folder = tmp_path / getattr(sources, name).folder
        folder.mkdir()
        for file, content in MINIATURES[name].items():
            (folder / file).write_bytes(content)
        return folder

    return written


def opened(name: str, folder: Path) -> Dataset:
    return open_dataset(DataOptions(use=name, path=str(folder)), Path())


def rows(data: Dataset, *names: str) -> list[tuple[object, ...]]:
    """Events as people would write them: ids, then these columns."""
    users, items = data.users["id"], data.items["id"]
    return [(users[user], items[item], *rest) for user, item, *rest in data.events.select("user", "item", *names).rows()]


def test_every_source_that_does_not_fetch_itself_has_a_miniature() -> None:
    assert set(MINIATURES) == set(SPLITS) == set(exported(sources, Source)) - {"MovieLens100K"}


@pytest.mark.parametrize("name", MINIATURES)
def test_its_own_split_divides_it(name: str, make: Make) -> None:
    data = opened(name, make(name))
    split = SPLITS[name].divide(data)
    check_no_leak(data, split)
    assert len(split.train) and len(split.validation)
    assert set(data.events["item"][split.train.tolist()]) <= set(range(data.n_items))


@pytest.mark.parametrize("name", MINIATURES)
def test_the_folder_in_germane_data_is_found(name: str, make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = make(name)
    monkeypatch.setenv("GERMANE_DATA", str(folder.parent))
    found = open_dataset(DataOptions(use=name), Path())
    assert found.folder == str(folder) and found.fingerprint == opened(name, folder).fingerprint


@pytest.mark.parametrize("name", MINIATURES)
def test_without_a_folder_it_says_what_to_put_where(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source = getattr(sources, name)
    monkeypatch.delenv("GERMANE_DATA", raising=False)
    with pytest.raises(DataError, match=r"neither \[data\] path nor GERMANE_DATA is said") as caught:
        source().read()
    assert f"$GERMANE_DATA/{source.folder}" in str(caught.value) and "https://" in str(caught.value)
    assert all(file in str(caught.value) for other, file in FILES if other == name)
    monkeypatch.setenv("GERMANE_DATA", str(tmp_path))
    with pytest.raises(DataError, match=f"holds no folder {source.folder}"):
        source().read()
    with pytest.raises(DataError, match="nowhere is no folder"):
        source().read(tmp_path / "nowhere")


@pytest.mark.parametrize(("name", "file"), FILES)
def test_a_missing_file_is_named_with_its_source(name: str, file: str, make: Make) -> None:
    folder = make(name)
    (folder / file).unlink()
    with pytest.raises(DataError, match=rf"{folder.name} holds no {file}.*https://"):
        opened(name, folder)


@pytest.mark.parametrize(
    ("name", "file", "old", "new", "said"),
    [
        ("Beauty", "sequences.txt", b"2 3 1\n", b"\n2\n", r"sequences.txt, line 3: '2' stands where a user and the user's items"),
        ("Beauty", "sequences.txt", b"1 1 2 3\n2 3 1\n3 2 3 1 4\n", b"\n", "sequences.txt is empty"),
        ("Beauty", "item_texts.txt", b"rose", b"ros\xe9", "item_texts.txt is not written in utf-8"),
        ("Beauty", "datamaps.json", b"id2item", b"items", 'datamaps.json has no "id2item"'),
        ("Beauty", "datamaps.json", b'{"id2user"', b"[", "datamaps.json is no JSON"),
        ("Beauty", "item_attributes.json", b"[10, 2]", b"10", "item_attributes.json should give each item a list"),
        ("Beauty", "item_attributes.json", b'{"1": [10, 2], "3": [7]}', b"[1]", "item_attributes.json holds no JSON object"),
        ("Games", "Games-6k.test.inter", b"1\t2\t0", b"1\t2", r"Games-6k.test.inter, line 3: '1\\t2' stands where a user, a history and a last"),
        ("Games", "Games.item", b"2\tPad", b"Pad", "Games.item, line 4: 'Pad' stands"),
        ("Frappe", "events.csv", b",12,3\n", b",12\n", "events.csv, line 4: has no 'cnt'; a line holds user, item, daytime"),
        ("Frappe", "events.csv", b",12,3\n", b",12,3,4\n", "events.csv, line 4: has 12 cells"),
        ("Frappe", "events.csv", b"cnt", b"count", "events.csv has no column 'cnt': its first line should name user, item"),
        ("Frappe", "valid_pairs.csv", b"9,1\n", b"9,2\n", "valid_pairs.csv, line 2: column 'label' holds '2': a label is 0 or 1"),
        ("Frappe", "items.tsv", b"short desc", b"short", "items.tsv has no column 'short desc'"),
        ("LDOSCoMoDa", "CoMoDa_with_header.csv", b",20000000\n7,2", b"\n7,2", "CoMoDa_with_header.csv, line 2: has no 'budget'"),
        ("LDOSCoMoDa", "CoMoDa_with_header.csv", b"8,1,5", b"8,1,good", "CoMoDa_with_header.csv, line 4: column 'rating' holds 'good'"),
        ("LDOSCoMoDa", "CoMoDa_with_header.csv", b"9,3,1,900", b"9,3,1,old", "CoMoDa_with_header.csv, line 5: column 'age' holds 'old'"),
        (
            "LastFM",
            "user_taggedartists.dat",
            b"1\t5\t2009",
            b"1\tMay\t2009",
            "user_taggedartists.dat, line 4: .*stands where numbers of user, artist",
        ),
        ("LastFM", "user_taggedartists_2.dat", b"5\t6\t2010", b"31\t6\t2010", "user_taggedartists_2.dat, line 2: column 'day' holds '2010-06-31'"),
        ("LastFM", "tags.dat", b"14\t80's", b"80's", 'tags.dat, line 3: "80\'s" stands where a number and a tag'),
    ],
)
def test_a_file_in_another_form_is_an_error_that_names_the_line(name: str, file: str, old: bytes, new: bytes, said: str, make: Make) -> None:
    folder = make(name)
    content = (folder / file).read_bytes()
    assert content.count(old) == 1
    (folder / file).write_bytes(content.replace(old, new))
    with pytest.raises(DataError, match=said):
        opened(name, folder)


def test_beauty(make: Make) -> None:
    data = opened("Beauty", make("Beauty"))
    assert rows(data) == [(u, i) for u, items in (("1", "123"), ("2", "31"), ("3", "2314")) for i in items] and not data.has_times
    assert data.items.rows() == [
        ("1", "B001", 'blue "nail" lacquer', ["10", "2"]),
        ("2", "B002", None, None),
        ("3", "B003", "rose soap", ["7"]),
        ("4", "B004", None, None),
        ("5", "B005", "brush", None),  # never taken: an item all the same
    ]
    assert data.types == {"attributes": "categories", "title": "text"} and data.columns.text == ("title",)
    split = LeaveLastOut().divide(data)
    assert [rows(data)[row] for row in split.test] == [("1", "3"), ("2", "1"), ("3", "4")]


def test_games(make: Make) -> None:
    folder = make("Games")
    data = opened("Games", folder)
    assert rows(data) == [(u, i) for u, items in (("0", "012"), ("1", "20"), ("2", "1203")) for i in items]
    assert data.items.rows() == [("0", "Rocks & Robots"), ("1", 'The "Last" Pokédot'), ("2", "Pad"), ("3", None)]
    (folder / "Games.item").rename(folder / "Games-6k.item")
    assert opened("Games", folder).fingerprint == data.fingerprint


def test_frappe(make: Make) -> None:
    folder = make("Frappe")
    data = opened("Frappe", folder)
    assert rows(data, "label", "split", "positive", "context:homework", "context:weather", "context:country", "context:city") == [
        ("0", "0", 1, "train", True, None, "sunny", "Spain", None),
        ("1", "1", 1, "train", True, "home", None, None, None),
        ("0", "1", 1, "train", True, "work", "rainy", "Spain", "12"),
        ("0", "1", 1, "validation", True, "work", "sunny", "Peru", "9"),
        ("0", "2", 0, "validation", False, "work", "sunny", "Peru", "9"),
        ("1", "0", 0, "validation", False, "work", "sunny", "Peru", "9"),
    ]
    assert data.items.select("id", "category", "downloads", "name", "description", "price", "rating", "short desc").rows() == [
        ("0", "Tools", "10,000 - 50,000", '"Torch" – ça', 'Say "hello"', 0.0, 4.5, None),
        ("1", "Social", "10,000+", "Talk", "Talks.", 1002.5, 3.0, "All talk"),
        ("2", None, None, None, None, None, None, None),
        ("3", "Tools", "10,000+", "Count", "Counts.", None, 3.0, "One"),
    ]
    split = Given().divide(data)
    assert (split.train.tolist(), split.validation.tolist(), split.test.tolist()) == ([0, 1, 2], [3, 4, 5], [])
    counted = open_dataset(DataOptions(use="Frappe", path=str(folder), columns={"value": "cnt"}), Path())
    assert counted.events["value"].to_list() == [7, 1, 3, None, None, None]


def test_comoda(make: Make) -> None:
    folder = make("LDOSCoMoDa")
    data = opened("LDOSCoMoDa", folder)
    assert rows(data, "value", "context:daytime", "context:weather", "context:social", "context:mood", "context:interaction") == [
        ("7", "1", 4, "3", None, "2", "2", "1"),
        ("7", "2", 2, None, None, None, "2", None),
        ("8", "1", 5, "4", "5", "1", "1", "2"),
        ("9", "3", 1, "4", "5", "1", "1", "2"),
    ]
    assert data.items.rows() == [
        ("1", "346", "37", "9", 2010, ["7", "18"], ["862", "1378"], 20000000),
        ("2", "12", "37", "9", 1999, ["3"], ["5", "6", "7"], None),
        ("3", "8", "37", "9", 2001, ["1"], None, 5000),
    ]
    assert data.users.rows() == [("7", 30, "1", "10", "3"), ("8", None, "2", "3", "5"), ("9", None, "2", "3", "5")]
    assert data.notes == () and len(data.columns.context) == 10  # one row an item, one a user


def test_comoda_keeps_what_a_film_made_its_viewer_feel_out_of_the_context(make: Make) -> None:
    folder = make("LDOSCoMoDa")
    data = opened("LDOSCoMoDa", folder)
    assert not [name for name in data.events.columns if "Emo" in name]
    told = open_dataset(DataOptions(use="LDOSCoMoDa", path=str(folder), columns={"context": ["endEmo"]}, types={"endEmo": "category"}), Path())
    assert told.events["context:endEmo"].to_list() == ["2", "7", "1", "1"]


def test_comoda_has_an_original_without_a_header(make: Make) -> None:
    folder = make("LDOSCoMoDa")
    data = opened("LDOSCoMoDa", folder)
    (folder / "CoMoDa_with_header.csv").unlink()
    (folder / "LDOS-CoMoDa.csv").write_text(COMODA)
    assert opened("LDOSCoMoDa", folder).fingerprint == data.fingerprint


def test_lastfm(make: Make) -> None:
    data = opened("LastFM", make("LastFM"))
    days = 86400.0
    assert rows(data, "time", "words") == [
        ("2", "52", 14335 * days, "slow, tropicália"),  # 2009-04-01: one event, two tags
        ("2", "52", 14365 * days, "80's"),
        ("3", "52", 14765 * days, "rock, loud"),
        ("3", "77", 14975 * days, None),  # a tag that nothing spells, an artist whom nothing names
    ]
    assert data.items.select("id", "name").rows() == [("52", '"Odd" Café'), ("60", "Nobody"), ("61", "무명"), ("77", None)]
    assert [note.code for note in data.notes] == ["missing_time", "unknown_items"] and data.notes[0].detail.startswith("1 events")


def test_lastfm_in_one_file(make: Make) -> None:
    folder = make("LastFM")
    data = opened("LastFM", folder)
    second = (folder / "user_taggedartists_2.dat").read_bytes().split(b"\r\n", 1)[1]
    first = folder / "user_taggedartists.dat"
    first.write_bytes(first.read_bytes() + second)
    (folder / "user_taggedartists_2.dat").unlink()
    assert opened("LastFM", folder).events.equals(data.events)
