from __future__ import annotations

from pathlib import Path

import pytest

from germane.encoders.augmentation.wordnet import KINDS

MEANINGS = {
    "noun": [["film", "movie", "moving_picture"], ["film", "layer"], ["joke", "gag"]],
    "verb": [["film", "shoot"], ["buy", "purchase"]],
    "adj": [["funny", "comic(a)"], ["alone"]],
    "adv": [],
}
HEAD = "  1 This software and database is being provided to you  \n  2 by way of a test.  \n"


@pytest.fixture(scope="session")
def wordnet(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small database in the form of wndb(5WN): the first meaning of a word is its most frequent."""
    folder = tmp_path_factory.mktemp("wordnet")
    for kind in KINDS:
        data, lemmas = HEAD, dict[str, list[int]]()
        for words in MEANINGS[kind]:
            for word in words:
                lemmas.setdefault(word.partition("(")[0], []).append(len(data))
            said = " ".join(f"{word} 0" for word in words)
            data += f"{len(data):08d} 00 {kind[0]} {len(words):02x} {said} 000 | a meaning  \n"
        (folder / f"data.{kind}").write_text(data)
        lines = [f"{word} {kind[0]} {len(at)} 1 @ {len(at)} 0 {' '.join(f'{one:08d}' for one in at)}  \n" for word, at in sorted(lemmas.items())]
        (folder / f"index.{kind}").write_text(HEAD + "".join(lines))
    return folder
