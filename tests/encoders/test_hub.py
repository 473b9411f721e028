from __future__ import annotations

import hashlib
import json
import os
import shutil
import socket
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import huggingface_hub
import pytest
from huggingface_hub.errors import LocalEntryNotFoundError

from germane.encoders import PretrainedText, hub
from germane.encoders.hub import from_hub
from germane.encoders.weights import get_weights
from germane.errors import ConfigError, FetchError


@pytest.fixture
def empty_cache(monkeypatch: pytest.MonkeyPatch) -> None:
    def nothing(name: str, **options: Any) -> str:
        raise LocalEntryNotFoundError(name)

    monkeypatch.setattr(huggingface_hub, "snapshot_download", nothing)
    monkeypatch.delenv("HF_HUB_OFFLINE", raising=False)


def answer(monkeypatch: pytest.MonkeyPatch, call: Any) -> None:
    monkeypatch.setattr(huggingface_hub.HfApi, "model_info", call)


def listed(folder: Path, listing: str = "{}") -> Path:
    """A snapshot that the hub's list of files lies beside."""
    (folder.parents[1] / "trees").mkdir()
    (folder.parents[1] / "trees" / f"{folder.name}.json").write_text(listing)
    return folder


def test_the_hub_cache_is_enough(monkeypatch: pytest.MonkeyPatch, tiny_bert: Path, tmp_path: Path) -> None:
    here = listed(Path(shutil.copytree(tiny_bert, tmp_path / "snapshots" / "abc")))
    monkeypatch.setattr(huggingface_hub, "snapshot_download", lambda name, **options: str(here) if options["local_files_only"] else "")
    answer(monkeypatch, lambda *given, **options: pytest.fail("asked the hub"))
    assert PretrainedText(model="owner/model").encode(["rain"]).shape == (1, 16)


def test_fetched_without_pickles(monkeypatch: pytest.MonkeyPatch, tiny_bert: Path, empty_cache: None, capsys: pytest.CaptureFixture[str]) -> None:
    asked: dict[str, Any] = {}

    def download(name: str, **options: Any) -> str:
        if options.get("local_files_only"):
            raise LocalEntryNotFoundError(name)
        asked.update(options)
        return str(tiny_bert)

    monkeypatch.setattr(huggingface_hub, "snapshot_download", download)
    answer(monkeypatch, lambda self, name, **options: SimpleNamespace(sha="abc", card_data=SimpleNamespace(license="mit")))
    assert from_hub("owner/model") == tiny_bert
    assert "*.safetensors" in asked["allow_patterns"]
    assert not {"*.bin", "*.pt", "*.py"} & set(asked["allow_patterns"])
    assert "licence: mit" in capsys.readouterr().err


def test_no_connection_is_one_sentence(monkeypatch: pytest.MonkeyPatch, empty_cache: None) -> None:
    def refuse(*given: Any, **options: Any) -> None:
        raise OSError("Name or service not known")

    answer(monkeypatch, refuse)
    with pytest.raises(FetchError, match=r"owner/model.*Name or service not known.*germane weights get owner/model"):
        PretrainedText(model="owner/model").encode(["rain"])


def test_a_hub_that_does_not_answer_is_given_up(monkeypatch: pytest.MonkeyPatch, empty_cache: None) -> None:
    from threading import Event

    silent = Event()
    answer(monkeypatch, lambda *given, **options: silent.wait(5))
    monkeypatch.setattr(hub, "_PATIENCE", 0.1)
    start = time.monotonic()
    with pytest.raises(FetchError, match="no answer within"):
        from_hub("owner/model")
    silent.set()
    assert time.monotonic() - start < 2


@pytest.fixture
def endpoint(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[socket.socket]:
    """A hub that takes connections and says nothing by itself."""
    from huggingface_hub import close_session, constants

    for name in [name for name in os.environ if name.lower().endswith("_proxy")]:
        monkeypatch.delenv(name)
    monkeypatch.delenv("HF_HUB_OFFLINE", raising=False)
    close_session()
    with socket.create_server(("127.0.0.1", 0)) as server:
        monkeypatch.setattr(constants, "ENDPOINT", f"http://127.0.0.1:{server.getsockname()[1]}")
        monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "hub"))
        yield server
    close_session()


def test_a_hub_that_takes_connections_and_never_answers(endpoint: socket.socket, monkeypatch: pytest.MonkeyPatch) -> None:
    assert hub._PATIENCE <= 4
    monkeypatch.setattr(hub, "_PATIENCE", 0.2)
    with pytest.raises(FetchError, match="owner/model' could not be fetched from the hub"):
        from_hub("owner/model")


def test_a_hub_that_falls_silent_after_its_first_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    from threading import Event

    silent, asked = Event(), dict[str, Any]()

    def download(name: str, **options: Any) -> str:
        if options.get("local_files_only"):
            raise LocalEntryNotFoundError(name)
        asked.update(options)
        silent.wait(5)
        return ""

    monkeypatch.setattr(huggingface_hub, "snapshot_download", download)
    monkeypatch.delenv("HF_HUB_OFFLINE", raising=False)
    answer(monkeypatch, lambda self, name, **options: SimpleNamespace(sha="c" * 40, card_data=None))
    monkeypatch.setattr(hub, "_STALLED", 0.1)
    with pytest.raises(FetchError, match="no answer within"):
        from_hub("owner/model")
    silent.set()
    assert asked["etag_timeout"] == hub._PATIENCE


@pytest.fixture
def small_hub(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[ThreadingHTTPServer]:
    """A hub that has one model, of two files."""
    from huggingface_hub import close_session, constants

    files = {"config.json": b"{}", "model.safetensors": b"\2\0\0\0\0\0\0\0{}"}
    marks = {name: hashlib.sha1(content, usedforsecurity=False).hexdigest() for name, content in files.items()}

    class Hub(BaseHTTPRequestHandler):
        def do_HEAD(self) -> None:
            self.do_GET()

        def do_GET(self) -> None:
            path, said = self.path.partition("?")[0], dict[str, str]()
            if "/resolve/" in path:
                name = path.rpartition("/")[2]
                content, said = files[name], {"ETag": f'"{marks[name]}"', "X-Repo-Commit": "c" * 40}
            elif "/tree/" in path:
                content = json.dumps([{"type": "file", "path": name, "size": len(files[name]), "oid": marks[name]} for name in files]).encode()
            else:
                content = json.dumps({"id": "owner/model", "sha": "c" * 40, "siblings": [{"rfilename": name} for name in files], "tags": []}).encode()
            self.send_response(200)
            for name, value in {**said, "Content-Length": str(len(content))}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(content if self.command == "GET" else b"")

        def log_message(self, *given: object) -> None:
            """Nothing."""

    for name in [name for name in os.environ if name.lower().endswith("_proxy")]:
        monkeypatch.delenv(name)
    monkeypatch.delenv("HF_HUB_OFFLINE", raising=False)
    close_session()
    with ThreadingHTTPServer(("127.0.0.1", 0), Hub) as server:
        address = f"http://127.0.0.1:{server.server_address[1]}"
        monkeypatch.setattr(constants, "ENDPOINT", address)
        monkeypatch.setattr(constants, "HUGGINGFACE_CO_URL_TEMPLATE", address + "/{repo_id}/resolve/{revision}/{filename}")
        monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "hub"))
        monkeypatch.setattr(constants, "HF_HUB_DISABLE_XET", True)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server
        server.shutdown()
    close_session()


def test_what_was_fetched_is_found_again_without_the_hub(small_hub: ThreadingHTTPServer, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = from_hub("owner/model")
    assert sorted(file.name for file in folder.iterdir()) == ["config.json", "model.safetensors"]
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    assert from_hub("owner/model") == folder


def test_what_has_come_is_counted(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path))
    assert hub._held("owner/model") == 0
    (tmp_path / "models--owner--model" / "blobs").mkdir(parents=True)
    (tmp_path / "models--owner--model" / "blobs" / "ab.incomplete").write_bytes(b"12345")
    assert hub._held("owner/model") == 5


def test_told_to_stay_offline(monkeypatch: pytest.MonkeyPatch, empty_cache: None) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    answer(monkeypatch, lambda *given, **options: pytest.fail("asked the hub"))
    with pytest.raises(FetchError, match=r"HF_HUB_OFFLINE is set.*germane weights get owner/model"):
        from_hub("owner/model")


def test_a_name_that_cannot_be() -> None:
    with pytest.raises(ConfigError, match="neither a folder, nor a name of `germane weights list`"):
        from_hub("no such: name")


@pytest.mark.parametrize("held, lacks", [("config.json", "safetensors file; Germane reads no pickles"), ("model.safetensors", r"config\.json")])
def test_a_whole_model_that_cannot_be_read_is_refused(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, held: str, lacks: str) -> None:
    here = tmp_path / "snapshots" / "abc"
    here.mkdir(parents=True)
    (here / held).write_text("{}")
    monkeypatch.setattr(huggingface_hub, "snapshot_download", lambda name, **options: str(listed(here)))
    with pytest.raises(ConfigError, match=f"has no {lacks}"):
        from_hub("owner/model")


def held_in_part(cache: Path, *names: str) -> Path:
    """What a broken-off download, or another program that read these files alone, leaves in the hub's cache."""
    repository = cache / "models--owner--model"
    for folder, file, content in (("refs", "main", "d" * 40), *((f"snapshots/{'d' * 40}", name, "of before") for name in names)):
        (repository / folder).mkdir(parents=True, exist_ok=True)
        (repository / folder / file).write_text(content)
    return repository / "snapshots" / ("d" * 40)


@pytest.mark.parametrize("names", [("config.json",), ("config.json", "model.safetensors")])
def test_a_part_of_a_model_is_completed(small_hub: ThreadingHTTPServer, tmp_path: Path, names: tuple[str, ...]) -> None:
    part = held_in_part(tmp_path / "hub", *names)
    folder = from_hub("owner/model")
    assert folder != part and sorted(file.name for file in folder.iterdir()) == ["config.json", "model.safetensors"]


def test_what_lacks_files_of_the_list_is_completed(small_hub: ThreadingHTTPServer, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = from_hub("owner/model")
    (folder / "model.safetensors").unlink()
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    with pytest.raises(FetchError, match="not whole, in the hub's cache"):
        from_hub("owner/model")
    monkeypatch.delenv("HF_HUB_OFFLINE")
    assert from_hub("owner/model") == folder and (folder / "model.safetensors").is_file()


def test_without_the_hub_a_part_that_can_be_read_is(
    small_hub: ThreadingHTTPServer, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    part = held_in_part(tmp_path / "hub", "config.json")
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    with pytest.raises(FetchError, match="HF_HUB_OFFLINE is set"):
        from_hub("owner/model")
    (part / "model.safetensors").write_text("")
    assert from_hub("owner/model") == part
    assert "owner/model is read as the hub's cache holds it" in capsys.readouterr().err
    with pytest.raises(FetchError, match="HF_HUB_OFFLINE is set"):
        get_weights("owner/model", whole=True)
