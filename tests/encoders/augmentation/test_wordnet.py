from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from germane.encoders.augmentation import Synonyms, WordNet
from germane.encoders.augmentation.wordnet import folder_of_wordnet
from germane.errors import ConfigError


def test_synonyms_are_those_of_the_most_frequent_meaning_of_each_kind(wordnet: Path) -> None:
    words = WordNet(wordnet)
    assert words.synonyms("film") == ("movie", "moving picture", "shoot")
    assert words.synonyms("Movie") == ("film", "moving picture")
    assert words.synonyms("moving picture") == ("film", "movie")
    assert words.synonyms("funny") == ("comic",)
    assert [words.synonyms(word) for word in ("alone", "films", "zebra", "aaa", "", "1")] == [()] * 6


def test_replaced_words_keep_their_case_and_inflected_and_short_ones_stay(wordnet: Path) -> None:
    vary = Synonyms(share=1.0, folder=str(wordnet))
    assert vary(["Funny gag, to buy (1999)"], np.random.default_rng(0)) == ["Comic gag, to buy (1999)"]
    drawn = {vary(["the film"], np.random.default_rng(seed))[0] for seed in range(30)}
    assert drawn == {"the movie", "the moving picture", "the shoot"}
    some = Synonyms(share=0.3, folder=str(wordnet))(["funny"] * 200, np.random.default_rng(0))
    assert 40 < some.count("comic") < 80


def test_files_that_are_not_there_are_told(tmp_path: Path, wordnet: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ConfigError, match="does not hold WordNet's files"):
        WordNet(tmp_path)
    lost = Synonyms(folder=str(tmp_path))
    assert "wordnet-base" in str(lost.missing())
    with pytest.raises(ConfigError, match="install Debian's wordnet-base"):
        lost(["funny"], np.random.default_rng(0))
    monkeypatch.setenv("WNSEARCHDIR", str(wordnet))
    assert folder_of_wordnet() == wordnet and Synonyms().missing() is None


@pytest.mark.skipif(folder_of_wordnet() is None, reason="WordNet's files are not here: apt-get install wordnet-base")
def test_the_real_files() -> None:
    folder = folder_of_wordnet()
    assert folder is not None
    words = WordNet(folder)
    assert "film" in words.synonyms("movie") and "automobile" in words.synonyms("car") and "rapidly" in words.synonyms("quickly")
    assert words.synonyms("zymurgy") == ("zymology",) and words.synonyms("dogs") == ()
    lines = (folder / "index.verb").read_text("latin-1").splitlines()
    found = [line.split()[0] for line in lines if not line.startswith(" ")][::97]
    assert all(list(words._meaning(word, "verb")) for word in found)
