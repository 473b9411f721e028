from __future__ import annotations

import errno
import os
import sys
from pathlib import Path

import pytest

from germane import writing
from germane.errors import RunError
from germane.writing import check_place, folder_of, held, mask, partial_of, put, shared, whole_folder


@pytest.fixture
def old(tmp_path: Path) -> Path:
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "said").write_text("old")
    return tmp_path / "run"


def written(folder: Path) -> Path:
    folder.mkdir()
    (folder / "deep").mkdir()
    (folder / "deep" / "er").write_text("new")
    (folder / "said").write_text("new")
    return folder


def left(folder: Path) -> dict[str, str]:
    """What stands beside a folder, itself among it."""
    return {path.name: (path / "said").read_text() for path in folder.parent.iterdir()}


def renames(monkeypatch: pytest.MonkeyPatch, *refused: int) -> list[str]:
    """Two folders cannot be exchanged, and of the renames those with these numbers are refused."""
    told: list[str] = []
    rename = os.rename

    def counted(one: Path, other: Path) -> None:
        told.append(other.name)
        if len(told) in refused:
            raise OSError(28, "No space left on device")
        rename(one, other)

    monkeypatch.setattr(writing, "_exchanged", lambda one, other: False)
    monkeypatch.setattr(os, "rename", counted)
    return told


@pytest.mark.skipif(sys.platform != "linux", reason="needs renameat2")
def test_two_folders_are_exchanged_in_one_step(old: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def never(one: Path, other: Path) -> None:
        raise AssertionError("the name stood for nothing in between")

    monkeypatch.setattr(os, "rename", never)
    put(written(old.parent / "new"), old)
    assert left(old) == {"run": "new"} and (old / "deep" / "er").read_text() == "new"


def test_all_is_on_disk_before_it_has_its_name(old: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[str] = []
    monkeypatch.setattr(writing, "synced", lambda path: told.append(path.name))
    monkeypatch.setattr(writing, "_exchanged", lambda one, other: told.append("exchanged") or one.rename(one.parent / "gone") or other.rename(one))
    put(written(old.parent / "new"), old)
    assert set(told[:4]) == {"new", "said", "deep", "er"} and told[4:] == ["exchanged", old.parent.name]


def test_two_renames_do_where_no_exchange_is_to_be_had(old: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    written(old.parent / ".run.old")  # of a replacement that was interrupted at its end
    assert renames(monkeypatch) == []
    put(written(old.parent / "new"), old)
    assert left(old) == {"run": "new"}


def test_the_older_folder_is_put_back_where_the_second_rename_fails(old: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    told = renames(monkeypatch, 2)
    refused = r"run could not be written \(No space left on device\); what stood at .*run is whole: make room"
    with pytest.raises(RunError, match=refused), whole_folder(old) as work:
        (work / "said").write_text("new")
    assert told == [".run.old", "run", "run"] and left(old) == {"run": "old"}


def test_what_an_interruption_left_beside_is_named_and_put_back(old: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    renames(monkeypatch, 2, 3)
    with pytest.raises(OSError, match="No space"):
        put(written(old.parent / "new"), old)
    monkeypatch.undo()
    assert not old.exists()
    with pytest.raises(RunError, match=r"is whole in .*\.run\.old: rename that to .*run\."):
        folder_of(old)
    with pytest.raises(RunError, match="run exists"):
        check_place(old, replace=False)
    assert left(old)["run"] == "old" and folder_of(old) == old


def test_a_link_to_a_folder_stays_one(old: Path) -> None:
    link = old.parent / "latest"
    link.symlink_to(old, target_is_directory=True)
    with whole_folder(link) as work:
        (work / "said").write_text("new")
    assert link.is_symlink() and left(old) == {"run": "new", "latest": "new"}


def test_what_fails_otherwise_leaves_nothing_and_keeps_its_name(old: Path) -> None:
    with pytest.raises(ZeroDivisionError), whole_folder(old) as work:
        (work / "said").write_text("new")
        raise ZeroDivisionError
    assert left(old) == {"run": "old"}
    with pytest.raises(RunError, match=r"could not be written \(File exists\)"), whole_folder(old / "said" / "run"):
        pass


@pytest.mark.parametrize("at", [".", "deep"])
def test_what_is_only_to_be_read_is_not_replaced(at: str, old: Path) -> None:
    """By its mode, whoever asks: there are no bits to write by, not even for those who need none."""
    (old / "deep").mkdir()
    (old / at).chmod(0o555)
    with pytest.raises(RunError, match=r"is only to be read, so nothing is changed in it"), whole_folder(old) as work:
        (work / "said").write_text("new")
    (old / "about.json").write_text("{}") if at == "deep" else None
    with pytest.raises(RunError, match="is only to be read" if at == "deep" else "holds something else"):
        check_place(old, replace=True)
    assert left(old) == {"run": "old"}
    (old / at).chmod(0o755)


@pytest.mark.skipif(os.name != "posix", reason="needs modes")
@pytest.mark.parametrize(("umask", "folder_mode", "file_mode"), [(0o022, 0o755, 0o644), (0o077, 0o700, 0o600), (0o007, 0o770, 0o660)])
def test_a_folder_is_as_open_as_the_mask_lets(umask: int, folder_mode: int, file_mode: int, tmp_path: Path) -> None:
    before = os.umask(umask)
    try:
        with whole_folder(tmp_path / "run") as work:
            (work / "said").touch(mode=0o600)
            shared(work)
        assert mask() == umask
    finally:
        os.umask(before)
    run = tmp_path / "run"
    assert run.stat().st_mode & 0o777 == folder_mode and (run / "said").stat().st_mode & 0o777 == file_mode


def test_where_is_worked_is_beside_whatever_the_path_ends_in() -> None:
    assert partial_of(Path("runs/w/")) == partial_of(Path("runs/w")) == Path("runs/w.partial")


@pytest.mark.skipif(sys.platform == "win32", reason="Windows knows no such locks")
def test_one_alone_holds_a_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with held(tmp_path), pytest.raises(RunError, match="is in use by another training"), held(tmp_path):
        pass
    with held(tmp_path):  # let go of again
        pass

    def unknown(*_: object) -> None:
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr("fcntl.flock", unknown)
    with held(tmp_path), held(tmp_path):  # a file system that knows no locks
        pass
