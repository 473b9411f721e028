from __future__ import annotations

import importlib.util
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import uvicorn

from germane import Feedback, Query
from germane.client import Client
from germane.errors import ConflictError, NotFoundError, QueryError, ServiceError
from germane.serving import create_app
from germane.store import open_store
from germane.wire import EventLine, RewardLine


def fake_recommender() -> object:
    spec = importlib.util.spec_from_file_location("fake_recommender", Path(__file__).parent / "serving" / "fake.py")
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module.FakeRecommender()


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Client]:
    door = socket.socket()
    door.bind(("127.0.0.1", 0))
    door.listen()
    with open_store(f"sqlite:///{tmp_path_factory.mktemp('store') / 'germane.db'}") as store:
        server = uvicorn.Server(uvicorn.Config(create_app(fake_recommender(), store), log_level="warning", lifespan="off"))
        thread = threading.Thread(target=server.run, kwargs={"sockets": [door]})
        thread.start()
        yield Client(f"http://127.0.0.1:{door.getsockname()[1]}/")
        server.should_exit = True
        thread.join()
        door.close()


def test_a_slate_comes_back_as_a_noun(client: Client) -> None:
    slate = client.recommend(Query(user="u1", context={"weather": "rain"}), n=2)
    assert [shown.item for shown in slate.items] == ["i3", "i2"] and slate.items[0].reasons[0].kind == "popularity"
    assert client.send_rewards([slate.feedback("i3", 1.0)]) == (1, 0)
    reward = RewardLine(slate.recommendation_id, "i2", 0.0, reward_id="w1")
    assert client.send_rewards([reward]) == (1, 0)
    assert client.send_rewards([reward]) == (0, 1)


def test_many_queries_go_in_batches(client: Client) -> None:
    slates = client.batch((Query(context={"weather": weather}) for weather in ["rain", "sun"] * 60), n=1)
    assert len(slates) == 120 and {slate.items[0].item for slate in slates[::2]} != {slate.items[0].item for slate in slates[1::2]}


def test_many_events_go_in_batches(client: Client) -> None:
    events = [EventLine("many", "i1", event_id=f"m{n}") for n in range(1500)]
    assert client.send_events(events) == (1500, 0)
    assert client.send_events([*events, {"user": "many", "item": "i2"}]) == (1, 1500)
    assert client.send_events([]) == (0, 0)


def test_items_and_lists(client: Client) -> None:
    client.put_item("ä/b c?", {"title": "New", "genre": "Action"})
    assert ("ä/b c?", 1.0) in client.similar("007")
    client.delete_item("ä/b c?")
    assert client.context()["columns"][0]["name"] == "weather"


def test_refusals_are_the_errors_of_python(client: Client) -> None:
    with pytest.raises(QueryError, match="Did you mean weather") as caught:
        client.recommend(Query(context={"wether": "rain"}))
    assert caught.value.field == "context.wether"
    with pytest.raises(QueryError, match="1 to 1000"):
        client.recommend(Query(), n=0)
    with pytest.raises(NotFoundError):
        client.similar("nope")
    with pytest.raises(NotFoundError):
        client.send_rewards([Feedback("nope", "i1", 1.0)])
    client.send_events([EventLine("u1", "i1", event_id="once")])
    with pytest.raises(ConflictError):
        client.send_events([EventLine("u1", "i2", event_id="once")])
    with pytest.raises(QueryError, match="send less at a time"):
        client.send_events([EventLine("u1", "i1", context={"x": "y" * 2_000_000})])


def test_the_client_is_light() -> None:
    seen = "import sys, germane.client; print([name for name in ('torch', 'polars', 'litestar', 'sqlalchemy', 'pydantic') if name in sys.modules])"
    assert subprocess.run([sys.executable, "-c", seen], capture_output=True, text=True, check=True).stdout.strip() == "[]"


def test_no_service_is_one_sentence() -> None:
    with socket.socket() as door:
        door.bind(("127.0.0.1", 0))
        with pytest.raises(ServiceError, match="is the service running"):
            Client(f"http://127.0.0.1:{door.getsockname()[1]}", timeout=2).context()
    for address in ("ftp://127.0.0.1", "http://localhost:abc", "http://localhost:99999", "http://local host:80"):
        with pytest.raises(ServiceError, match="no address"):
            Client(address)


CALLS: dict[str, Callable[[Client], Any]] = {
    "recommend": lambda client: client.recommend(Query()),
    "batch": lambda client: client.batch([Query()]),
    "events": lambda client: client.send_events([{"user": "a", "item": "b"}]),
    "similar": lambda client: client.similar("a"),
}


ANSWERS = {
    b"SSH-2.0-OpenSSH_9\r\n": "did not answer with whole HTTP",
    b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{}": "did not answer with whole HTTP",
    b"HTTP/1.1 503 No\r\nContent-Length: 100\r\n\r\n{}": "did not answer with whole HTTP",
    b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n[]": "answered with JSON of another form",
    b'HTTP/1.1 200 OK\r\nContent-Length: 14\r\n\r\n{"items": [1]}': "answered with JSON of another form",
    b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n": "answered with JSON of another form",
    b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi": "did not answer with JSON",
}


@pytest.mark.parametrize("answer", ANSWERS)
@pytest.mark.parametrize("call", CALLS)
def test_another_service_is_one_sentence(call: str, answer: bytes) -> None:
    def reply() -> None:
        with door.accept()[0] as asked:
            asked.sendall(answer)
            asked.shutdown(socket.SHUT_WR)
            while asked.recv(65_536):  # to the end: what is closed over unread bytes is reset
                pass

    with socket.socket() as door:
        door.bind(("127.0.0.1", 0))
        door.listen()
        thread = threading.Thread(target=reply)
        thread.start()
        with pytest.raises(ServiceError, match=ANSWERS[answer]):
            CALLS[call](Client(f"http://127.0.0.1:{door.getsockname()[1]}", timeout=10))
        thread.join()


def test_numbers_of_numpy_are_numbers_and_what_is_not_finite_is_refused(client: Client) -> None:
    event = {"user": "numpy", "item": "i1", "value": np.float32(3), "context": {"temperature": np.float64(4), "tags": np.array(["a", "b"])}}
    assert client.send_events([event]) == (1, 0)
    assert len(client.recommend(Query(context={"temperature": np.int64(3)}), n=np.int64(2)).items) == 2  # type: ignore[arg-type]
    for value in (float("nan"), np.float32("inf"), np.float64("nan")):
        with pytest.raises(QueryError, match=r"events\[1\]\.value = (nan|inf) is not finite") as caught:
            client.send_events([event, {"user": "a", "item": "b", "value": value}])
        assert caught.value.field == "events[1].value"
        with pytest.raises(QueryError, match=r"context\.temperature = (nan|inf) is not finite"):
            client.recommend(Query(context={"temperature": value}))
