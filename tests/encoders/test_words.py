from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from germane.encoders import BUCKETS, ItemContent, Words, single_words, text_words, word_codes
from germane.encoders import words as words_module


def kept(text: str) -> set[int]:
    return set(word_codes([text])[0].tolist()) - {0}


def test_words_and_pairs_have_codes_of_their_own() -> None:
    assert kept("") == kept(" , ;") == set()
    assert kept("hip hop") == kept("Hip  HOP!") == kept("hip") | kept("hop") | (kept("hip hop") - kept("hip") - kept("hop"))
    assert len(kept("hip hop")) == 3 and len(kept("hip, hop")) == 2
    assert kept("hip hop") != kept("hop hip")
    assert len(kept("ﬁn de siècle")) == 5  # words of other languages, compatible spellings folded
    assert kept("ﬁn") == kept("fin")


def test_a_long_text_keeps_its_first_codes() -> None:
    text = ", ".join(f"w{n}" for n in range(40))
    codes = word_codes([text, "w0"])
    assert codes.shape == (2, 16)
    assert kept(text) == set().union(*(kept(f"w{n}") for n in range(16)))


@settings(max_examples=50, deadline=None)
@given(st.lists(st.text(max_size=30), min_size=1, max_size=5))
def test_any_text_has_codes_that_a_checksum_can_be(texts: list[str]) -> None:
    codes = word_codes(texts)
    assert codes.shape == (len(texts), 16) and codes.dtype == torch.int64
    assert bool((codes >= 0).all()) and bool((codes < 2**32).all())
    assert torch.equal(codes, word_codes([text.upper().lower() if text.isascii() else text for text in texts]))


def test_words_are_cut_and_joined() -> None:
    words = Words.of(["a b", "c"], torch.eye(2))
    both = words + Words.none(1, 2)
    assert len(both) == 3 and both.typed.tolist() == [True, True, False]
    assert torch.equal(both[:2].codes, words.codes) and torch.equal(both[:2].single, words.single)
    assert torch.equal(words.codes, word_codes(["a b", "c"])) and torch.equal(words.single, single_words(["a b", "c"]))
    assert both.to("cpu")[torch.tensor([2])].vectors.shape == (1, 2)


def test_single_words_are_those_of_the_text_each_once_whatever_the_case() -> None:
    one, same, empty, long = single_words(["Toy Story, a toy", "A STORY toy", "", " ".join(f"w{n}" for n in range(50))])
    assert sorted(one[one > 0].tolist()) == sorted(same[same > 0].tolist()) and (one > 0).sum() == 3
    assert not empty.any() and (long > 0).all() and len(long) == 32
    assert int(long.min()) >= 1 and int(long.max()) <= BUCKETS
    assert single_words([]).shape == (0, 32)


def test_texts_keep_as_many_words_as_the_longest_has_and_there_is_room_for(monkeypatch: pytest.MonkeyPatch) -> None:
    texts = ["Toy Story", " ".join(f"w{n}" for n in range(300)), ""]
    assert text_words(texts[:1]).shape == (1, 2) and text_words(["", ""]).shape == (2, 1) and text_words([]).shape == (0, 1)
    long = text_words(texts)
    assert long.shape == (3, 256) and torch.equal(long[:, :32], single_words(texts)) and long[1].count_nonzero() == 256
    monkeypatch.setattr(words_module, "ROOM", 120)
    assert text_words(texts).shape == (3, 40) and torch.equal(text_words(texts), long[:, :40])
    monkeypatch.setattr(words_module, "ROOM", 12)
    assert text_words(texts).shape == (3, 32)  # as many as are read of what is typed


def test_one_long_text_that_is_added_takes_no_more_room_than_there_is(monkeypatch: pytest.MonkeyPatch) -> None:
    def content(texts: list[str]) -> ItemContent:
        n = len(texts)
        return ItemContent(torch.zeros(n, 2), torch.zeros(n, 0, dtype=torch.int32), torch.zeros(n, 0), torch.ones(n).bool(), 1, text_words(texts))

    long = content([" ".join(f"w{n}" for n in range(300))])
    shop = content(["Toy Story", "Heat"])
    assert shop.single is not None and long.single is not None and long.single.shape == (1, 256)
    for room, width in ((1 << 26, 256), (120, 40), (12, 32)):
        monkeypatch.setattr(words_module, "ROOM", room)
        both = shop.extended(long).single
        assert both is not None and both.shape == (3, width)
        assert torch.equal(both[:2, :2], shop.single) and not both[:2, 2:].any() and torch.equal(both[2], long.single[0, :width])
