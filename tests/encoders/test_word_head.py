from __future__ import annotations

from pathlib import Path

import pytest
import torch

from germane.encoders.word_head import WordHead, guesses
from germane.errors import ConfigError


def test_how_each_family_guesses(tiny_model: Path) -> None:
    assert guesses(tiny_model) == ("masked" if "bert" in tiny_model.name else "causal")


def test_the_head_at_some_places_says_what_it_says_at_all(tiny_model: Path) -> None:
    model = WordHead(tiny_model, 20, seed=0).eval()
    tokens = dict(model.tokenizer(["a quiet film", "rain and the war"], padding=True, return_tensors="pt"))
    tokens.pop("token_type_ids", None)
    places = torch.rand(tokens["input_ids"].shape, generator=torch.Generator().manual_seed(0)) < 0.5
    assert places.any()
    torch.testing.assert_close(model(tokens, places), model.model(**tokens).logits[places])
    assert model.model(**tokens).logits.shape[:2] == places.shape  # nothing is left behind


def test_a_fresh_heads_last_layer_is_the_embeddings(tiny_model: Path) -> None:
    model = WordHead(tiny_model, 20, seed=0).model
    assert model.get_output_embeddings().weight is model.get_input_embeddings().weight


def test_a_fresh_head_may_begin_with_frequencies(tiny_bert: Path, tmp_path: Path) -> None:
    model = WordHead(tiny_bert, 20, seed=0).eval()
    counts = torch.arange(len(model.tokenizer)).float() ** 3
    model.begin_with(counts)
    ids = torch.tensor([[2, 7, 4, 3]])
    guess = model({"input_ids": ids}, ids == 4).detach().softmax(1)[0]
    assert torch.corrcoef(torch.stack([guess, counts]))[0, 1] > 0.95
    model.save(tmp_path)
    trained = WordHead(tmp_path, 20, seed=0)
    trained.begin_with(torch.ones(len(counts)))  # what has learnt is left alone
    torch.testing.assert_close(trained.eval()({"input_ids": ids}, ids == 4).softmax(1)[0], guess)


def test_a_seed_draws_the_head(tiny_bert: Path) -> None:
    one, same, other = (WordHead(tiny_bert, 20, seed=seed) for seed in (0, 0, 1))
    assert one.fresh and one.own()
    assert all(torch.equal(a, b) for a, b in zip(one.own(), same.own()))
    assert not all(torch.equal(a, b) for a, b in zip(one.own(), other.own()))


def test_what_is_saved_comes_back_with_its_head(tiny_model: Path, tmp_path: Path) -> None:
    from transformers import AutoModel

    first = WordHead(tiny_model, 20, seed=0)
    with torch.no_grad():
        for parameter in first.parameters():
            parameter.add_(0.01)
    first.save(tmp_path / "saved")
    again = WordHead(tmp_path / "saved", 20, seed=5)
    assert not again.fresh and not list((tmp_path / "saved").glob("*.bin"))
    state = again.state_dict()
    assert all(torch.equal(tensor, state[name]) for name, tensor in first.state_dict().items())
    body = AutoModel.from_pretrained(tmp_path / "saved").state_dict()
    assert all(torch.equal(tensor, body[name]) for name, tensor in first.body.state_dict().items())


def test_weights_of_another_model_are_refused(tiny_bert: Path, tmp_path: Path) -> None:
    import shutil

    from safetensors.torch import save_file

    folder = Path(shutil.copytree(tiny_bert, tmp_path / "broken"))
    save_file({"other": torch.zeros(1)}, folder / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(ConfigError, match="its weights lack"):
        WordHead(folder, 20, seed=0)
    (folder / "model.safetensors").write_bytes(b"short")
    with pytest.raises(ConfigError, match="cannot be loaded"):
        WordHead(folder, 20, seed=0)
