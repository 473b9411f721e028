from __future__ import annotations

import json
import shlex
import shutil
import sys
from pathlib import Path

import numpy as np
import pytest

from germane.encoders.augmentation import RoundTrip
from germane.errors import ConfigError

CALLS: list[list[str]] = []


def shout(texts: list[str]) -> list[str]:
    CALLS.append(texts)
    return [text.upper() for text in texts]


def lose(texts: list[str]) -> list[str]:
    return ["" for _ in texts]


def shorten(texts: list[str]) -> list[str]:
    return texts[1:]


HERE = f"{__name__}:"


@pytest.fixture(autouse=True)
def _own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GERMANE_CACHE", str(tmp_path / "cache"))
    CALLS.clear()


def program(code: str) -> str:
    return shlex.join([sys.executable, "-c", f"import sys\nfor line in sys.stdin: {code}"])


def test_each_text_is_translated_once_and_kept_also_for_the_next_time(tmp_path: Path) -> None:
    there = f"{HERE}shout"
    trip = RoundTrip(there=there, back=program("print(line.strip() + '!')"), share=1.0)
    assert trip(["one\ntwo", "", "one\ntwo", "ä"], np.random.default_rng(0)) == ["ONE TWO!", "", "ONE TWO!", "Ä!"]
    assert CALLS == [["one two", "ä"]]
    again = RoundTrip(there=there, back=trip.options.back, share=1.0)
    assert again(["ä", "new"], np.random.default_rng(0)) == ["Ä!", "NEW!"]
    assert CALLS[1:] == [["new"]]
    (file,) = (tmp_path / "cache" / "round_trips").glob("*.json")
    file.write_text("torn")
    assert RoundTrip(there=there, back=trip.options.back, share=1.0)(["ä"], np.random.default_rng(0)) == ["Ä!"]
    assert json.loads(file.read_text()) == {"ä": "Ä!"}


def test_so_many_texts_are_chosen_and_what_is_lost_on_the_way_stays() -> None:
    said = RoundTrip(there=f"{HERE}shout", back=f"{HERE}shout", share=0.3)([f"text {n}" for n in range(200)], np.random.default_rng(0))
    assert 40 < sum(text.isupper() for text in said) < 80
    assert RoundTrip(there=f"{HERE}lose", back=f"{HERE}shout", share=1.0)(["kept"], np.random.default_rng(0)) == ["kept"]


@pytest.mark.parametrize(
    ("there", "told"),
    [
        ("no-such-program -x", "'no-such-program' is not here"),
        ("no.such.module:f", "module:function"),
        (f"{HERE}nothing", "module:function"),
        (f"{HERE}CALLS", "is not a function"),
        (f"{HERE}shorten", "made 1 texts of 2"),
        (program("sys.exit('it broke')"), "it broke"),
    ],
)
def test_a_translator_that_cannot_serve_is_told(there: str, told: str) -> None:
    with pytest.raises(ConfigError, match=told):
        RoundTrip(there=there, back=f"{HERE}shout", share=1.0)(["one", "two"], np.random.default_rng(0))


def test_nothing_is_no_command() -> None:
    for said in ("", "a 'b"):
        with pytest.raises(ConfigError, match="should be a command"):
            RoundTrip(back=said)


@pytest.mark.skipif(shutil.which("apertium") is None, reason="apertium is not here: apt-get install apertium-eng-spa")
def test_the_real_translator() -> None:
    texts = ["The dogs ran quickly through the garden.", "A beautiful film about music"]
    said = RoundTrip(share=1.0)(texts, np.random.default_rng(0))
    assert said != texts and "film" in said[1].lower() and "music" in said[1].lower()
