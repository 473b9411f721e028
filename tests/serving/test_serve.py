from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
import urllib.request
from pathlib import Path

import pytest

from germane.errors import ConfigError
from germane.serving import serve
from germane.serving.serve import _listen

from .fake import FakeRecommender


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.168.1.4", "example.org"])
def test_another_host_is_refused(host):
    with pytest.raises(ConfigError, match="this machine only"):
        serve(FakeRecommender(), host=host)


def test_a_taken_port_is_one_sentence():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        with pytest.raises(ConfigError, match="choose another"):
            serve(FakeRecommender(), port=taken.getsockname()[1])
    with pytest.raises(ConfigError, match=r"0 .* to 65535"):
        serve(FakeRecommender(), port=70_000)


@pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
def test_answers_leave_at_once(host):
    """asyncio sets TCP_NODELAY on what says that it is TCP."""
    try:
        door = _listen(host, 0)
    except ConfigError:
        pytest.skip(f"this machine has no {host}")
    with door:
        assert door.proto == socket.IPPROTO_TCP


STARTED = """
import sys
sys.path.insert(0, sys.argv[1])
from fake import FakeRecommender
from germane.serving import serve
from germane.serving.serve import _listen
serve(FakeRecommender(), sys.argv[2], port=0)
"""


def test_it_starts_says_where_and_ends(tmp_path):
    command = [sys.executable, "-c", STARTED, str(Path(__file__).parent), f"sqlite:///{tmp_path / 'germane.db'}"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env={**os.environ, "no_proxy": "*"})
    try:
        address = re.search(r"http://127\.0\.0\.1:\d+", process.stdout.readline())[0]
        for _ in range(3):
            with urllib.request.urlopen(f"{address}/health/ready", timeout=10) as response:
                assert response.status == 200
    finally:
        process.send_signal(signal.SIGINT)
        _, said = process.communicate(timeout=20)
    assert "Traceback" not in said or "KeyboardInterrupt" in said
