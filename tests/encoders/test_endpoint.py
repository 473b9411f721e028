from __future__ import annotations

import itertools
import json
import socket
import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
import torch

import germane
from germane.encoders import EndpointText, HashedText, VectorCache, endpoint_client
from germane.errors import ConfigError, FetchError
from germane.models import ContentNeighbours
from germane.testing import EncoderContract
from germane.testing.model_contract import small_shop

SECRET = "sk-not-to-be-seen"
Answer = tuple[int, Any, dict[str, str]]


class Endpoint(ThreadingHTTPServer):
    """Answers as ``/v1/embeddings`` does, with hashed vectors times three, last text first; ``answers`` come before that."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.asked: list[dict[str, Any]] = []
        self.keys: list[str | None] = []
        self.answers: list[Answer] = []
        self.silence = threading.Event()
        self.silent = False
        self.refuses_from: int | None = None
        """The first of the requests, counted from 1, that are all refused."""

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}/v1/embeddings"


class _Handler(BaseHTTPRequestHandler):
    server: Endpoint

    def do_POST(self) -> None:
        said = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.server.asked.append(said)
        self.server.keys.append(self.headers["Authorization"])
        if self.server.silent:
            self.server.silence.wait(10)
            return
        vectors = (HashedText(width=8).encode(said["input"]) * 3).tolist()
        rows = [{"index": place, "embedding": vector} for place, vector in enumerate(vectors)][::-1]
        code, content, headers = self.server.answers.pop(0) if self.server.answers else (200, {"data": rows}, {})
        if self.server.refuses_from is not None and len(self.server.asked) >= self.server.refuses_from:
            code, content = 401, {}
        body = json.dumps(content).encode()
        self.send_response(code)
        for name, value in {"Content-Length": str(len(body)), **headers}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *given: Any) -> None:
        pass


@pytest.fixture
def endpoint(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Endpoint]:
    monkeypatch.setenv("GERMANE_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("EXAMPLE_KEY", SECRET)
    with Endpoint() as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield server
        server.silence.set()
        server.shutdown()
        thread.join()


@pytest.fixture
def pauses(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """How long it would have waited between tries."""
    waited: list[float] = []
    monkeypatch.setattr(endpoint_client.time, "sleep", waited.append)
    return waited


class TestEndpointText(EncoderContract):
    @pytest.fixture(autouse=True)
    def _made(self, endpoint: Endpoint) -> None:
        self.encoder = EndpointText(url=endpoint.url, model="m")
        self.others = [EndpointText(url=endpoint.url, model="other"), EndpointText(url=endpoint.url + "/2", model="m")]


def test_each_text_gets_its_own_vector_and_is_sent_once(endpoint: Endpoint) -> None:
    encoder = EndpointText(url=endpoint.url, model="m", width=8, batch=2, key="env:EXAMPLE_KEY")
    vectors = encoder.encode(["rain", "sun", "rain", " ", "snow"])
    torch.testing.assert_close(vectors, HashedText(width=8).encode(["rain", "sun", "rain", "", "snow"]))
    assert endpoint.asked == [{"model": "m", "input": ["rain", "sun"]}, {"model": "m", "input": ["snow"]}]
    assert set(endpoint.keys) == {f"Bearer {SECRET}"} and encoder.sent == 3


def test_what_was_fetched_is_kept_on_disk(endpoint: Endpoint, tmp_path: Path) -> None:
    first = VectorCache(tmp_path).cached(EndpointText(url=endpoint.url, model="m", width=8))(["rain", "sun"])
    asked = len(endpoint.asked)
    again = VectorCache(tmp_path).cached(EndpointText(url=endpoint.url, model="m", width=8))(["sun", "rain"])
    assert torch.equal(again, first.flip(0)) and len(endpoint.asked) == asked


def test_the_width_is_asked_for_once(endpoint: Endpoint) -> None:
    assert EndpointText(url=endpoint.url, model="m").width == 8
    assert EndpointText(url=endpoint.url, model="m").width == 8
    assert [said["input"] for said in endpoint.asked] == [["width"]]


def test_a_saved_run_needs_neither_endpoint_nor_key(endpoint: Endpoint, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    recommender = germane.Recommender(ContentNeighbours(), text=EndpointText(url=endpoint.url, model="m", key="env:EXAMPLE_KEY"))
    germane.save(germane.train(recommender, small_shop()), tmp_path / "run")
    asked = len(endpoint.asked)
    monkeypatch.setenv("GERMANE_CACHE", str(tmp_path / "another"))  # on another machine
    monkeypatch.delenv("EXAMPLE_KEY")
    again = germane.load(tmp_path / "run")
    assert len(again.recommend(germane.Query(), n=3).items) == 3 and again.text.width == 8 and len(endpoint.asked) == asked


def test_another_width_than_said(endpoint: Endpoint) -> None:
    with pytest.raises(ConfigError, match=r"gives vectors of 8 numbers for m, not 16; set width"):
        EndpointText(url=endpoint.url, model="m", width=16).encode(["rain"])


@pytest.mark.parametrize(
    ("code", "key", "says"),
    [
        (401, "env:EXAMPLE_KEY", r"answered 401 \(the key in env:EXAMPLE_KEY is refused\)"),
        (401, None, r'it wants a key: write key = "env:NAME"'),
        (404, None, "url or model is unknown there"),
        (400, None, "it refuses the request"),
        (307, None, "it points elsewhere"),
    ],
)
def test_refusals_are_final(endpoint: Endpoint, pauses: list[float], code: int, key: str | None, says: str) -> None:
    endpoint.answers = [(code, {}, {"Location": endpoint.url})]
    with pytest.raises(FetchError, match=says):
        EndpointText(url=endpoint.url, model="m", width=8, key=key).encode(["rain"])
    assert len(endpoint.asked) == 1 and not pauses


def test_busy_then_good(endpoint: Endpoint, pauses: list[float]) -> None:
    endpoint.answers = [(429, {}, {"Retry-After": "7"}), (503, {}, {})]
    assert EndpointText(url=endpoint.url, model="m", width=8).encode(["rain"]).any()
    assert pauses == [7.0, 1.0] and len(endpoint.asked) == 3


@pytest.mark.parametrize("code", [429, 500, 501, 529])
def test_a_failure_of_its_own_is_asked_again(endpoint: Endpoint, pauses: list[float], code: int) -> None:
    endpoint.answers = [(code, {}, {})]
    assert EndpointText(url=endpoint.url, model="m", width=8).encode(["rain"]).any()
    assert pauses == [0.5] and len(endpoint.asked) == 2


@pytest.mark.parametrize(("answers", "tries"), [([(503, {}, {})] * 9, 3), ([(429, {}, {"Retry-After": "600"})] * 9, 1)])
def test_retries_end(endpoint: Endpoint, pauses: list[float], answers: list[Answer], tries: int) -> None:
    endpoint.answers = list(answers)
    with pytest.raises(FetchError, match=r"answered (503|429)"):
        EndpointText(url=endpoint.url, model="m", width=8).encode(["rain"])
    assert len(endpoint.asked) == tries and sum(pauses) <= 30


def test_silence_ends_with_the_timeout(endpoint: Endpoint, pauses: list[float]) -> None:
    endpoint.silent = True
    with pytest.raises(FetchError, match=r"did not answer within 0.2 s; timeout in \[text\]"):
        EndpointText(url=endpoint.url, model="m", width=8, timeout=0.2).encode(["rain"])
    assert len(endpoint.asked) == 1 and not pauses


def test_a_body_that_comes_in_drops_ends_with_the_timeout(endpoint: Endpoint, pauses: list[float], monkeypatch: pytest.MonkeyPatch) -> None:
    clock = itertools.count(0.0, 40.0)
    monkeypatch.setattr(endpoint_client.time, "monotonic", lambda: next(clock))
    with pytest.raises(FetchError, match="did not answer within 30 s"):
        EndpointText(url=endpoint.url, model="m", width=8).encode(["rain"])
    assert EndpointText(url=endpoint.url, model="m", width=8, timeout=50).encode(["rain"]).any()


def answering(said: bytes) -> str:
    """The address of a server that says this, once, whatever it is asked."""
    listening = socket.create_server(("127.0.0.1", 0))

    def answer() -> None:
        with listening, listening.accept()[0] as connection:
            connection.sendall(said)
            connection.shutdown(socket.SHUT_WR)
            while connection.recv(1 << 16):  # what is left unread would cut the answer off
                pass

    threading.Thread(target=answer, daemon=True).start()
    return f"http://127.0.0.1:{listening.getsockname()[1]}/v1"


HEAD = b"HTTP/1.1 200 OK\r\n"


@pytest.mark.parametrize(
    ("said", "means"),
    [
        (b"", r"broke off"),
        (b"SSH-2.0-OpenSSH\r\n", r"does not speak HTTP \(BadStatusLine\)"),
        (HEAD + b"X: " + b"a" * 70_000 + b"\r\n\r\n", r"does not speak HTTP \(LineTooLong\)"),
        (HEAD + b"Content-Length: 99\r\n\r\n{}", r"broke off, .* \(IncompleteRead\)"),
        (HEAD + b"Transfer-Encoding: chunked\r\n\r\nzz\r\n", r"broke off, .* \(IncompleteRead\)"),
        (HEAD + b'\r\n{"data": [{"embedding": [1' + b"0" * 400 + b"]}]}", "answered something else"),
        (HEAD + b"\r\n" + b"[" * 200_000, "answered something else"),
    ],
    ids=["nothing", "no HTTP", "a long line", "cut off", "a bad chunk", "a huge number", "a deep JSON"],
)
def test_what_goes_wrong_on_the_way_is_one_sentence(said: bytes, means: str) -> None:
    with pytest.raises(FetchError, match=means):
        EndpointText(url=answering(said), model="m", width=1).encode(["rain"])


def test_what_stays_on_this_machine_goes_through_no_proxy(endpoint: Endpoint, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("no_proxy", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")  # where nobody is
    assert EndpointText(url=endpoint.url, model="m", width=8, key="env:EXAMPLE_KEY").encode(["rain"]).any()


def test_nobody_there_is_asked_once(pauses: list[float]) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{free.getsockname()[1]}/v1/embeddings"
        began = time.monotonic()
        with pytest.raises(FetchError, match="cannot be reached"):
            EndpointText(url=url, model="m", width=8).encode(["rain"])
        assert time.monotonic() - began < 5 and not pauses


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_a_place_that_swallows_everything_is_given_up_in_seconds(scheme: str, pauses: list[float], monkeypatch: pytest.MonkeyPatch) -> None:
    given: list[float] = []

    def swallow(address: object, timeout: float, source: object) -> None:
        given.append(timeout)
        raise TimeoutError("timed out")

    monkeypatch.setattr(socket, "create_connection", swallow)
    with pytest.raises(FetchError, match=r"example.org cannot be reached \(timed out\)"):
        EndpointText(url=f"{scheme}://example.org/v1", model="m", width=8, timeout=300).encode(["rain"])
    assert given == [4.0] and not pauses


def test_beyond_the_budget_nothing_is_sent(endpoint: Endpoint) -> None:
    encoder = EndpointText(url=endpoint.url, model="m", width=8, budget=3)
    encoder.encode(["rain", "sun"])
    with pytest.raises(ConfigError, match=r"2 texts are to be sent .* and 1 are left of budget = 3: nothing was sent"):
        encoder.encode(["snow", "fog"])
    assert len(endpoint.asked) == 1
    encoder.encode(["snow"])


def test_what_was_paid_for_is_kept_where_a_later_request_fails(endpoint: Endpoint, pauses: list[float], tmp_path: Path) -> None:
    texts = [f"text {place}" for place in range(10)]
    first = EndpointText(url=endpoint.url, model="m", width=8, batch=3)
    endpoint.refuses_from = 3
    with pytest.raises(FetchError, match="answered 401"):
        VectorCache(tmp_path).cached(first)(texts)
    endpoint.refuses_from = None
    again = EndpointText(url=endpoint.url, model="m", width=8, batch=3)
    torch.testing.assert_close(VectorCache(tmp_path).cached(again)(texts), HashedText(width=8).encode(texts))
    assert first.sent == 9 and again.sent == 4 and endpoint.asked[3]["input"] == texts[6:9]


def test_the_budget_is_asked_once_for_all_that_the_cache_lacks(endpoint: Endpoint, tmp_path: Path) -> None:
    encoder = EndpointText(url=endpoint.url, model="m", width=8, batch=2, budget=4)
    with pytest.raises(ConfigError, match=r"5 texts are to be sent .* and 4 are left of budget = 4: nothing was sent"):
        VectorCache(tmp_path).cached(encoder)(["rain", "sun", "snow", "fog", "hail", " "])
    assert not endpoint.asked and encoder.sent == 0
    VectorCache(tmp_path).cached(encoder)(["rain", "sun", "snow", "fog", " "])
    assert encoder.sent == 4


def test_what_did_not_leave_does_not_count(endpoint: Endpoint, pauses: list[float], monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        encoder = EndpointText(url=f"http://127.0.0.1:{free.getsockname()[1]}/v1", model="m", width=8, budget=2)
        for _ in range(3):
            with pytest.raises(FetchError, match="cannot be reached"):
                encoder.encode(["rain"])
    assert encoder.sent == 0
    monkeypatch.delenv("EXAMPLE_KEY")
    keyless = EndpointText(url=endpoint.url, model="m", width=8, key="env:EXAMPLE_KEY")
    with pytest.raises(ConfigError, match="is not set"):
        keyless.encode(["rain"])
    assert keyless.sent == 0


@pytest.mark.parametrize(
    "content", [[], {"data": [{}]}, {"data": [{"embedding": ["x"]}]}, {"error": "no"}, {"data": [{"embedding": [1.0]}] * 2}, {"data": ["x"]}]
)
def test_another_answer_than_vectors(endpoint: Endpoint, content: Any) -> None:
    endpoint.answers = [(200, content, {})]
    with pytest.raises(FetchError, match=r"answered something else|gave 2 vectors for 1 texts"):
        EndpointText(url=endpoint.url, model="m", width=8).encode(["rain"])


def test_a_key_that_is_not_there(endpoint: Endpoint, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("EXAMPLE_KEY")
    with pytest.raises(ConfigError, match="environment variable EXAMPLE_KEY is not set"):
        EndpointText(url=endpoint.url, model="m", width=8, key="env:EXAMPLE_KEY").encode(["rain"])
    assert not endpoint.asked


@pytest.mark.parametrize("key", [f"{SECRET}\nX-More: 1", f"{SECRET}–", f"{SECRET}\x7f"])
def test_a_key_that_no_header_holds_is_refused_and_not_repeated(endpoint: Endpoint, monkeypatch: pytest.MonkeyPatch, key: str) -> None:
    monkeypatch.setenv("EXAMPLE_KEY", key)
    with pytest.raises(ConfigError, match="environment variable EXAMPLE_KEY holds no key: a key is one line") as caught:
        EndpointText(url=endpoint.url, model="m", width=8, key="env:EXAMPLE_KEY").encode(["rain"])
    assert SECRET not in str(caught.value) and not endpoint.asked


@pytest.mark.parametrize(
    ("url", "says"),
    [
        ("http://127.0.0.1:99999/v1", "is no http or https address"),
        ("http://127.0.0.1:abc/v1", "is no http or https address"),
        ("http://127.0.0.1:0/v1", "is no http or https address"),
        ("http://[::1/v1", "is no http or https address"),
        ("http://a..b/v1", "is no http or https address"),
        ("http://127.0.0.1/v1 x", "holds a blank or a letter outside ASCII"),
        ("http://127.0.0.1/v1\n", "holds a blank or a letter outside ASCII"),
        ("http://bücher.example/v1", "holds a blank or a letter outside ASCII"),
    ],
)
def test_addresses_that_cannot_be(url: str, says: str) -> None:
    with pytest.raises(ConfigError, match=says):
        EndpointText(url=url, model="m", width=8)


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"key": SECRET}, "holds no key itself"),
        ({"key": f"env:{SECRET}"}, "holds no key itself"),
        ({"key": [SECRET]}, "holds no key itself"),
        ({"url": f"https://me:{SECRET}@example.org/v1"}, "holds a name or a password"),
        ({"url": f"ftp://example.org/{SECRET}"}, "is no http or https address"),
        ({"url": "http://example.org/v1", "key": "env:EXAMPLE_KEY"}, "unencrypted; use https"),
    ],
)
def test_no_secret_is_taken_or_repeated(options: dict[str, Any], says: str) -> None:
    with pytest.raises(ConfigError, match=says) as caught:
        EndpointText(**{"url": "https://example.org/v1", "model": "m", **options})
    assert SECRET not in str(caught.value)


def test_the_key_is_nowhere_to_be_read(endpoint: Endpoint, caplog: pytest.LogCaptureFixture) -> None:
    encoder = EndpointText(url=endpoint.url, model="m", width=8, key="env:EXAMPLE_KEY")
    endpoint.answers = [(401, {"error": SECRET}, {})]
    with caplog.at_level(0), pytest.raises(FetchError) as caught:
        encoder.encode(["rain"])
    told: list[Callable[[], object]] = [lambda: caught.value, lambda: encoder, lambda: encoder.identity, encoder.settings, lambda: caplog.text]
    assert not any(SECRET in str(tell()) for tell in told)


@pytest.mark.parametrize("options", [{"width": 0}, {"timeout": 0}, {"budget": 0}, {"batch": 0}, {"model": ""}, {"urll": "x"}])
def test_bad_options(options: dict[str, Any]) -> None:
    with pytest.raises(ConfigError, match="EndpointText"):
        EndpointText(**{"url": "https://example.org/v1", "model": "m", **options})
