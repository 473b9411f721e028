from __future__ import annotations

import numpy as np
import pytest

from germane.encoders import HashedText, MultilingualText, PretrainedText, Spelling, words_in
from germane.encoders.augmentation import mistyped

KNOWN = {"ambient": 3, "metal": 9, "petal": 2, "romantic": 4, "comedy": 5, "straße": 1, "ελλάδα": 2}


@pytest.mark.parametrize(
    ("typed", "read"),
    [
        ("metla", "metal"),
        ("mettal", "metal"),
        ("meal", "metal"),
        ("metas", "metal"),
        ("etal", "metal"),
        ("Romatnic COMDEY, please", "romantic comedy, please"),
        ("ελάδα", "ελλάδα"),
        ("strasse", "strasse"),  # casefolded it is what is known
    ],
)
def test_one_slip_is_mended(typed: str, read: str) -> None:
    assert Spelling(KNOWN)(typed) == read


@pytest.mark.parametrize(
    "text", ["", "METAL Ambient", "met", "mteal2", "1999", "mmettal", "nothing like it", "metal-ambient; comedy!", "日本語の映画"]
)
def test_what_is_known_or_far_from_all_that_is_stays_as_it_was(text: str) -> None:
    assert Spelling(KNOWN)(text) == text


def test_the_more_frequent_neighbour_wins_and_a_word_of_the_encoder_s_is_none() -> None:
    assert Spelling({"petal": 2, "medal": 7})("metal") == "medal"
    assert Spelling({"petal": 2, "medal": 7}, lambda word: word == "metal")("Metal") == "Metal"
    assert Spelling({})("metal") == "metal"


def test_every_slip_that_the_judging_makes_is_found_again() -> None:
    rng, spelling = np.random.default_rng(0), Spelling(KNOWN)
    assert {word: {spelling(mistyped(word, rng)) for _ in range(200)} for word in ("ambient", "romantic", "comedy")} == {
        word: {word} for word in ("ambient", "romantic", "comedy")
    }


def test_words_that_came_later_are_known_from_then_on() -> None:
    spelling = Spelling({"metal": 9})
    assert spelling("medal") == "metal"
    spelling.learn(["A Medal, a medal", "medal"])
    assert spelling("medal") == "medal" and spelling.counts["medal"] == 2
    assert words_in(["A Medal, a medal", "medal 9 xy"]) == {"medal": 2}


def test_the_work_is_bounded_whatever_is_typed() -> None:
    class Watched(Spelling):
        asked = 0

        def _slips(self, word):
            for slip in super()._slips(word):
                self.asked += 1
                yield slip

    for text in (
        "q" * 100_000,
        "ﷺ" * 40,
        " ".join(f"w{'abcdefghij'[n % 10]}{'abcdefghij'[n // 10 % 10]}{'abcdefghij'[n // 100]}" for n in range(1000)),
    ):
        watched = Watched(KNOWN)
        assert watched(text) == text and watched.asked < 100_000
    watched = Watched(KNOWN)
    assert watched("metla " * 10_000) == "metal " * 10_000
    once = watched.asked
    watched("metla")
    assert watched.asked == 2 * once


def test_a_language_model_knows_its_whole_tokens(tiny_bert: object) -> None:
    encoder = PretrainedText(model=str(tiny_bert))
    tokens = [token for token in encoder._words.get_vocab() if token.isalpha() and token.islower() and len(token) > 3]
    assert encoder.is_word(tokens[0]) and not encoder.is_word(tokens[0] + "qzqzq")
    assert not HashedText().is_word("metal")


def test_one_that_reads_pieces_knows_its_own() -> None:
    pieces = type(
        "Pieces",
        (),
        {"encode": lambda self, word, add_special_tokens: type("Read", (), {"ids": [0 if piece == "?" else 7 for piece in word.split("|")]})()},
    )()
    encoder = MultilingualText()
    vars(encoder)["_pieces"] = pieces
    assert encoder.is_word("metal") and not encoder.is_word("me|tal") and not encoder.is_word("?")
