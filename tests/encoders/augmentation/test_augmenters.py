"""What all that says texts otherwise has in common."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from germane.component import exported
from germane.encoders import augmentation
from germane.encoders.augmentation import Augmenter, RoundTrip, Synonyms, TextAugmentation, TokenDropout, Typos, mistyped
from germane.errors import ConfigError

TEXTS = st.lists(st.text(alphabet="abcdehilmnost ß\t.", max_size=30), max_size=5)


@pytest.fixture(scope="module")
def parts(wordnet: Path, tmp_path_factory: pytest.TempPathFactory) -> list[Augmenter]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("GERMANE_CACHE", str(tmp_path_factory.mktemp("cache")))
        trip = RoundTrip(there="builtins:reversed", back="builtins:reversed", share=0.5)
        trip(["so that its file is found"], np.random.default_rng(0))
    return [TokenDropout(share=0.5), Synonyms(share=0.5, folder=str(wordnet)), Typos(share=0.5), trip]


def test_everything_exported_is_held_to_it(parts: list[Augmenter]) -> None:
    assert {type(part).__name__ for part in parts} == set(exported(augmentation, Augmenter))


@settings(deadline=None, max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(TEXTS, st.integers(0, 99))
def test_as_many_texts_the_same_by_the_same_seed_and_empty_ones_empty(parts: list[Augmenter], texts: list[str], seed: int) -> None:
    for part in parts:
        given = list(texts)
        said = part(given, np.random.default_rng(seed))
        assert given == texts and len(said) == len(texts)
        assert said == part(texts, np.random.default_rng(seed))
        assert all((not before.strip() and after == before) or after.strip() for before, after in zip(texts, said, strict=True))


def test_words_left_out_are_the_stated_share_and_the_rest_stays_in_order() -> None:
    text = " ".join(f"w{n}" for n in range(200))
    (said,) = TokenDropout(share=0.25)([text], np.random.default_rng(0))
    left = [int(word[1:]) for word in said.split()]
    assert left == sorted(left) and 130 < len(left) < 170
    assert TokenDropout(share=0.99)(["one"], np.random.default_rng(0)) == ["one"]


def test_mistyped_leaves_short_words_and_changes_long_ones() -> None:
    rng = np.random.default_rng(3)
    for _ in range(50):
        first, short, last = mistyped("documentary of dancing", rng).split(" ")
        assert short == "of"
        assert first != "documentary" or last != "dancing"  # doubling or replacing by the same letter may leave one as it was
        assert abs(len(first) - 11) <= 1 and abs(len(last) - 7) <= 1
    assert mistyped("", rng) == ""


def test_augmenters_follow_one_another_and_all_that_is_missing_is_told_at_once(wordnet: Path) -> None:
    folder = str(wordnet)
    vary = TextAugmentation(augment=[{"use": "Synonyms", "share": 1.0, "folder": folder}, {"use": "TokenDropout", "share": 0.5}])
    assert vary(["Funny films", "", "comic"], np.random.default_rng(1)) == TokenDropout(share=0.5)(
        *(lambda rng: (Synonyms(share=1.0, folder=folder)(["Funny films", "", "comic"], rng), rng))(np.random.default_rng(1))
    )
    assert TextAugmentation()(["as it is"], np.random.default_rng(0)) == ["as it is"]
    with pytest.raises(ConfigError) as caught:
        TextAugmentation(augment=[{"use": "Synonyms", "folder": "/nowhere"}, {"use": "RoundTrip", "there": "no-such-program"}])
    assert len(caught.value.faults) == 2 and "wordnet-base" in str(caught.value) and "no-such-program" in str(caught.value)
    with pytest.raises(ConfigError, match="no option 'shar'"):
        TextAugmentation(augment=[{"use": "TokenDropout", "shar": 0.5}])
