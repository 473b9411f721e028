from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from germane.encoders.language_model import LanguageModel
from germane.errors import ConfigError
from germane.training.pretraining import Contrast, PairedTexts, PretrainingOptions

TEXTS = ["quiet film", "war in space", "rain", "one two three", "x y z", "new war", "a film about rain", "space !"]
RING = np.array([(n, (n + 1) % 8) for n in range(8)])


def task(folder: Path, pairs: dict[str, np.ndarray], seed: int = 0, **options: Any) -> Contrast:
    given = PretrainingOptions(objective="contrastive", **options)
    return Contrast(LanguageModel(folder, "mean", 30), PairedTexts(TEXTS, pairs), given, torch.device("cpu"), seed, folder)


def test_false_negatives_are_known(tiny_bert: Path) -> None:
    made = task(tiny_bert, {"next_item": np.array([(0, 1), (1, 2), (0, 3), (4, 5), (6, 7), (2, 0)])})
    batch = np.array([(0, 1), (1, 2), (0, 3), (4, 5), (6, 1)])
    clash = made._clash(batch)
    assert not clash.diagonal().any()
    wrong = {(int(i), int(j)) for i, j in zip(*clash.nonzero())}
    assert wrong == {
        *((0, 1), (0, 2), (2, 0)),  # 2 leads to 0, 0 to 3 and to 1
        *((1, 0), (1, 4)),  # the anchor's own text
        *((2, 1), (2, 4), (0, 4), (4, 0)),  # 0 leads to 1; the same text is right for both
    }


def test_a_pair_and_its_reverse_are_on_one_side(tiny_bert: Path) -> None:
    both = np.concatenate([RING, RING[:, ::-1]])
    made = task(tiny_bert, {"next_item": both}, held_out=0.4)
    judged = {tuple(sorted(pair)) for _, part in made.judged for pair in part.tolist()}
    learned = {tuple(sorted(pair)) for pair in made.pairs["next_item"].tolist()}
    assert len(judged) == 3 and len(learned) == 5 and not judged & learned


def test_batches_are_of_one_kind_and_of_two_pairs_at_least(tiny_bert: Path) -> None:
    made = task(tiny_bert, {"next_item": RING, "views": np.repeat(np.arange(8)[:, None], 2, 1)}, batch=3)
    drawn = made.epoch(np.random.default_rng(0))
    assert len(drawn) == len(made) and {kind for kind, _ in drawn} == {"next_item", "views"}
    for kind, pairs in drawn:
        assert len(pairs) > 1 and ((pairs[:, 0] == pairs[:, 1]).all() == (kind == "views"))


@pytest.mark.parametrize("view", ["dropout", "tokens"])
def test_two_views_differ_and_are_judged_alike(tiny_bert: Path, view: str) -> None:
    made = task(tiny_bert, {"views": np.repeat(np.arange(8)[:, None], 2, 1)}, view=view, token_dropout=0.4)
    torch.manual_seed(0)
    made.model.train()
    one, other = (made._vectors("views", np.arange(8)) for _ in range(2))
    assert not torch.allclose(one, other)
    torch.manual_seed(1)
    first = made.held_out()
    torch.manual_seed(2)
    assert made.held_out() == first and not made.model.training


def test_a_view_keeps_special_tokens_and_one_word(tiny_bert: Path) -> None:
    made = task(tiny_bert, {"views": np.repeat(np.arange(8)[:, None], 2, 1)}, view="tokens", token_dropout=0.9)
    tokenizer = made.model.tokenizer
    torch.manual_seed(0)
    lengths = set()
    for row in [1, 2, 3] * 10:
        ids = made._without_some(row)
        assert ids[0] == tokenizer.cls_token_id and ids[-1] == tokenizer.sep_token_id and len(ids) > 2
        lengths.add(len(ids))
    assert len(lengths) > 1


def test_a_view_keeps_its_prefix_and_a_word_behind_it(tiny_model: Path) -> None:
    prefix, given = "new film ", PretrainingOptions(objective="contrastive", view="tokens", token_dropout=0.9)
    paired = PairedTexts([prefix + text for text in TEXTS], {"views": np.repeat(np.arange(8)[:, None], 2, 1)}, [len(prefix)] * 8)
    made = Contrast(LanguageModel(tiny_model, "mean", 30), paired, given, torch.device("cpu"), 0, tiny_model)
    tokenizer = made.model.tokenizer
    front = [code for code in tokenizer(prefix)["input_ids"] if code != tokenizer.sep_token_id]
    torch.manual_seed(0)
    for row in [0, 1, 2, 3] * 10:
        ids = made._without_some(row)
        assert ids[: len(front)] == front and len([code for code in ids if code != tokenizer.sep_token_id]) > len(front)


def test_views_by_dropout_need_dropout(tiny_bert: Path) -> None:
    language = LanguageModel(tiny_bert, "mean", 30)
    for part in language.modules():
        if isinstance(part, nn.Dropout):
            part.p = 0.0
    paired = PairedTexts(TEXTS, {"views": np.repeat(np.arange(8)[:, None], 2, 1)})
    with pytest.raises(ConfigError, match='say view = "tokens"'):
        Contrast(language, paired, PretrainingOptions(objective="contrastive"), torch.device("cpu"), 0, tiny_bert)


def test_too_few_pairs(tiny_bert: Path) -> None:
    with pytest.raises(ConfigError, match='there are 3 different pairs of the kind "words"'):
        task(tiny_bert, {"words": RING[:3]})


def test_layers_below_those_that_learn_are_gone_through_once_a_text(tiny_bert: Path) -> None:
    """With room for what they make of texts and without, loss and gradients are alike; views are read by all layers. What is kept is worked out
    before anything is learnt, in an order of its own: rounding does not rest on what a resumed pretraining reads first."""
    pairs = {"next_item": np.array([[0, 1], [2, 3], [4, 5], [1, 6], [5, 0], [3, 4]])}
    found = []
    for room in (0.0, 1e9):
        given = PretrainingOptions(objective="contrastive", layers=1, batch=4)
        made = Contrast(LanguageModel(tiny_bert, "mean", 30), PairedTexts(TEXTS, pairs), given, torch.device("cpu"), 0, tiny_bert, room)
        assert len(made.lower) == (7 if room else 0)
        held_out = made.held_out()
        loss = made.loss(("next_item", pairs["next_item"]))
        loss.backward()
        gradients = [parameter.grad for parameter in made.model.parameters() if parameter.grad is not None]
        found.append((held_out, loss.item(), gradients))
        assert (len(made.lower) > 0) == (room > 0)
    assert found[1][:2] == pytest.approx(found[0][:2], abs=1e-6) and found[0][2]
    for whole, kept in zip(found[0][2], found[1][2], strict=True):
        torch.testing.assert_close(kept, whole, atol=1e-6, rtol=1e-4)
    views = PairedTexts(TEXTS, {"views": np.repeat(np.arange(8)[:, None], 2, 1)})
    twice = Contrast(LanguageModel(tiny_bert, "mean", 30), views, given, torch.device("cpu"), 0, tiny_bert, 1e9)
    twice.loss(("views", np.array([[0, 0], [1, 1]])))
    assert len(twice.lower) == 0
