from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from germane.encoders.word_head import WordHead
from germane.errors import TrainingError
from germane.training.pretraining import GuessWords, PretrainingOptions

NUMBERS = ["one", "two", "three"]
TEXTS = [f"{'quiet film about rain' if n % 2 else 'war in space'} {' '.join(['x', 'y', 'z'][: n % 4])} {NUMBERS[n % 3]}" for n in range(60)]


def task(folder: Path, texts: list[str] = TEXTS, seed: int = 0, **options: Any) -> GuessWords:
    return GuessWords(WordHead(folder, 30, seed), texts, PretrainingOptions(**options), torch.device("cpu"), seed)


def test_masked_places_are_words_that_were_there(tiny_bert: Path) -> None:
    made = task(tiny_bert, mask_share=0.5)
    torch.manual_seed(0)
    rows = np.arange(60)
    tokens, places, targets = made._batch(rows)
    tokenizer = made.model.tokenizer
    was = tokenizer(TEXTS, padding=True, return_tensors="pt")["input_ids"]
    assert torch.equal(was[places], targets) and not set(targets.tolist()) & set(tokenizer.all_special_ids)
    assert torch.equal(tokens["input_ids"][~places], was[~places])
    now = tokens["input_ids"][places]
    words = (~torch.isin(was, torch.tensor(tokenizer.all_special_ids))).sum().item()
    assert 0.4 < len(targets) / words < 0.6
    masked, left = (now == tokenizer.mask_token_id).float().mean().item(), (now == targets).float().mean().item()
    assert 0.7 < masked < 0.9 and 0.04 < left < 0.2


def test_whole_words_are_masked_together(tiny_bert: Path) -> None:
    """``xx`` is read as ``x ##x``: both pieces or none."""
    made = task(tiny_bert, texts=["xx rain"] * 59 + ["xx"], whole_words=True, mask_share=0.4, held_out=0.5)
    torch.manual_seed(0)
    pieces = made.model.tokenizer("xx rain")["input_ids"]
    _, places, _ = made._batch(np.arange(59))
    assert len(pieces) == 5 and (places[:, 1] == places[:, 2]).all() and not places[:, [0, 4]].any()
    assert 0 < places[:, 1].float().mean() < 1 and 0 < places[:, 3].float().mean() < 1


def test_causal_words_are_asked_from_those_before(tiny_model: Path) -> None:
    if "bert" in tiny_model.name:
        pytest.skip("reads both ways")
    made = task(tiny_model).model.eval()
    ids = made.tokenizer("a quiet film about rain", return_tensors="pt")["input_ids"]
    other = ids.clone()
    other[0, 4:] = 7
    first = torch.arange(ids.shape[1])[None] < 4
    torch.testing.assert_close(made({"input_ids": ids}, first), made({"input_ids": other}, first))


def test_no_text_both_learns_and_judges(tiny_model: Path) -> None:
    made = task(tiny_model, texts=list(dict.fromkeys(TEXTS)), batch=4, held_out=0.2)
    seen = np.concatenate(made.epoch(np.random.default_rng(0)))
    assert sorted(seen) == made.learn.tolist() and len(made.epoch(np.random.default_rng(1))) == len(made)
    assert len(seen) == len(set(TEXTS)) - round(0.2 * len(set(TEXTS)))


def test_the_same_weights_are_judged_alike(tiny_model: Path) -> None:
    made = task(tiny_model)
    torch.manual_seed(1)
    first = made.held_out()
    torch.manual_seed(2)
    assert made.held_out() == first


def test_fitting_the_head_leaves_the_body_alone(tiny_bert: Path) -> None:
    made = task(tiny_bert, head_steps=60, mask_share=0.4, batch=16)
    body = {name: tensor.clone() for name, tensor in made.model.body.state_dict().items()}
    learns = [name for name, parameter in made.model.named_parameters() if parameter.requires_grad]
    before = made.held_out()
    heard: list[int] = []
    assert made.fit_head(lambda told: heard.append(told.step)) == 60 and heard[-1] == 60
    assert made.held_out() < before
    assert all(torch.equal(tensor, body[name]) for name, tensor in made.model.body.state_dict().items())
    assert [name for name, parameter in made.model.named_parameters() if parameter.requires_grad] == learns


def test_a_head_of_embeddings_alone_takes_no_steps(tiny_model: Path) -> None:
    if "bert" in tiny_model.name:
        pytest.skip("its head has weights of its own")
    assert task(tiny_model).fit_head() == 0


def test_texts_without_a_word(tiny_bert: Path) -> None:
    with pytest.raises(TrainingError, match="no word to be guessed"):
        task(tiny_bert, texts=["x", "y", "z"], mask_share=0.01)
