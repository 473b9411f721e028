from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
import torch

from germane.data import LeaveLastOut
from germane.encoders import Encoder, PretrainedText, StaticText, VectorCache
from germane.encoders import text as module
from germane.encoders.language_model import LanguageModel
from germane.encoders.word_head import WordHead
from germane.errors import ConfigError, TrainingError
from germane.jobs.train import fit
from germane.models import ContentNeighbours
from germane.recommender import Recommender
from germane.testing import EncoderContract
from germane.testing.model_contract import small_shop
from germane.training import TrainingOptions


class TestPretrainedText(EncoderContract):
    @pytest.fixture(autouse=True)
    def _tiny(self, tiny_bert: Path) -> None:
        self.encoder: Encoder = PretrainedText(model=str(tiny_bert))
        changes = [{"pooling": "cls"}, {"pooling": "last"}, {"max_tokens": 8}, {"item_prefix": "new "}, {"precision": "bf16"}]
        self.others = [PretrainedText(model=str(tiny_bert), **change) for change in changes]


class TestPretrainedDecoder(EncoderContract):
    @pytest.fixture(autouse=True)
    def _tiny(self, tiny_llama: Path) -> None:
        self.encoder: Encoder = PretrainedText(model=str(tiny_llama))
        self.others = [PretrainedText(model=str(tiny_llama), pooling="last")]


class TestTypedText(EncoderContract):
    @pytest.fixture(autouse=True)
    def _tiny(self, tiny_bert: Path) -> None:
        items = PretrainedText(model=str(tiny_bert), item_prefix="new ", words_prefix="about ")
        self.encoder: Encoder = items.for_words
        self.others = [items]

    def test_identity_is_stable_and_follows_the_options(self) -> None:
        assert self.encoder.identity == self.others[0].for_words.identity != self.others[0].identity

    def test_options_survive_saving(self) -> None:
        again = PretrainedText.from_options(self.others[0].settings())
        assert again.for_words.identity == self.encoder.identity


def test_mean_over_the_tokens_that_are_there(tiny_bert: Path) -> None:
    from transformers import AutoModel, AutoTokenizer

    texts = ["rain", "a quiet film about rain and the war in space"]
    vectors = PretrainedText(model=str(tiny_bert)).encode(texts)
    tokenizer, model = AutoTokenizer.from_pretrained(tiny_bert), AutoModel.from_pretrained(tiny_bert)
    for text, vector in zip(texts, vectors):
        states = model(**tokenizer(text, return_tensors="pt")).last_hidden_state[0]
        torch.testing.assert_close(vector, torch.nn.functional.normalize(states.mean(0), dim=0), atol=1e-5, rtol=0)
    first = PretrainedText(model=str(tiny_bert), pooling="cls").encode(texts[:1])[0]
    states = model(**tokenizer(texts[0], return_tensors="pt")).last_hidden_state[0]
    torch.testing.assert_close(first, torch.nn.functional.normalize(states[0], dim=0), atol=1e-5, rtol=0)


def test_words_and_items_are_told_apart_by_their_prefixes(tiny_bert: Path, tmp_path: Path) -> None:
    plain = PretrainedText(model=str(tiny_bert))
    marked = PretrainedText(model=str(tiny_bert), item_prefix="new ", words_prefix="about ")
    assert torch.equal(marked.encode(["rain", " "]), plain.encode(["new rain", ""]))
    assert torch.equal(marked.for_words.encode(["rain", " "]), plain.encode(["about rain", ""]))
    items, words = VectorCache(tmp_path).cached(marked), VectorCache(tmp_path).cached(marked.for_words)
    items(["rain"])
    assert not torch.equal(words(["rain"]), items(["rain"])) and words.encoded == 1
    assert plain.for_words.identity == plain.identity  # one place in the cache where there is nothing to tell apart
    assert PretrainedText().for_words.identity == PretrainedText().identity


def test_e5_by_its_folder_reads_its_prefixes(tiny_bert: Path, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(tiny_bert, tmp_path / "e5-small-v2"))
    encoder, plain = PretrainedText(model=str(folder)), PretrainedText(model=str(tiny_bert))
    assert torch.equal(encoder.encode(["rain"]), plain.encode(["passage: rain"]))
    assert torch.equal(encoder.for_words.encode(["rain"]), plain.encode(["query: rain"]))
    assert torch.equal(PretrainedText(model=str(folder), item_prefix="").encode(["rain"]), plain.encode(["rain"]))


def test_the_first_token_of_a_decoder_is_refused(tiny_llama: Path) -> None:
    with pytest.raises(ConfigError, match=r"is a decoder.*'mean' or 'last', not 'cls'"):
        PretrainedText(model=str(tiny_llama), pooling="cls").encode(["rain"])


def test_unit_length_and_blank_is_zero(tiny_bert: Path) -> None:
    vectors = PretrainedText(model=str(tiny_bert)).encode(["rain", " \n", "space"])
    torch.testing.assert_close(vectors.norm(dim=1), torch.tensor([1.0, 0.0, 1.0]))


def test_long_texts_are_cut(tiny_bert: Path) -> None:
    long, longer = "rain space " * 50, "rain space " * 50 + "war " * 50
    a, b = PretrainedText(model=str(tiny_bert), max_tokens=512).encode([long, longer])  # the model takes 40
    torch.testing.assert_close(a, b)
    c, d = PretrainedText(model=str(tiny_bert), max_tokens=3).encode(["rain space", "rain war"])  # [CLS] rain [SEP]
    torch.testing.assert_close(c, d)


def test_vectors_can_be_learned_from(tiny_bert: Path) -> None:
    weight = torch.ones(16, requires_grad=True)
    (PretrainedText(model=str(tiny_bert)).encode(["rain"]) @ weight).sum().backward()
    assert weight.grad is not None and weight.grad.any()


def test_the_batch_size_does_not_show(tiny_bert: Path) -> None:
    texts = [f"rain {'space ' * (i % 9)}" for i in range(20)]
    small, large = PretrainedText(model=str(tiny_bert), batch=3), PretrainedText(model=str(tiny_bert))
    assert small.identity == large.identity
    torch.testing.assert_close(small.encode(texts), large.encode(texts), atol=1e-5, rtol=0)


def test_the_identity_follows_the_weights_not_the_place(tiny_bert: Path, tmp_path: Path) -> None:
    copy = Path(shutil.copytree(tiny_bert, tmp_path / "copy"))
    assert PretrainedText(model=str(copy)).identity == PretrainedText(model=str(tiny_bert)).identity
    weights = copy / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-1] + b"\x01")
    assert PretrainedText(model=str(copy)).identity != PretrainedText(model=str(tiny_bert)).identity


def test_a_cached_catalogue_loads_no_model(tiny_bert: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = VectorCache(tmp_path).cached(PretrainedText(model=str(tiny_bert)))(["rain", "space"])
    encoder = PretrainedText(model=str(tiny_bert))
    assert torch.equal(VectorCache(tmp_path).cached(encoder)(["space", "rain"]), first.flip(0))
    assert "language_model" not in vars(encoder)

    monkeypatch.setattr(module, "get_weights", lambda name: pytest.fail("nothing needs to be fetched"))
    default = PretrainedText()
    assert default.width == 384 and "53aa5117" in default.identity
    assert default.encode([]).shape == (0, 384) and not default.encode([""]).any()
    assert PretrainedText(model="sentence-transformers/all-MiniLM-L6-v2").identity == default.identity


def test_a_decoder_without_a_padding_token(tmp_path: Path, tiny_bert: Path) -> None:
    from transformers import AutoTokenizer, GPT2Config, GPT2Model

    tokenizer = AutoTokenizer.from_pretrained(tiny_bert)
    tokenizer.pad_token, tokenizer.eos_token = None, "[SEP]"
    tokenizer.save_pretrained(tmp_path)
    torch.manual_seed(0)
    GPT2Model(GPT2Config(vocab_size=64, n_positions=32, n_embd=8, n_layer=1, n_head=2)).save_pretrained(tmp_path)
    encoder = PretrainedText(model=str(tmp_path))
    texts = ["rain", "a quiet film about rain"]
    assert encoder.width == 8
    torch.testing.assert_close(encoder.encode(texts), torch.cat([encoder.encode([text]) for text in texts]), atol=1e-5, rtol=0)


@pytest.mark.parametrize("tuning", ["lorra", "top", "top:0", "top:-1", "", "all"])
def test_an_unknown_tuning(tuning: str) -> None:
    with pytest.raises(ConfigError, match=r"PretrainedText option tuning = .*should be frozen, top:N"):
        PretrainedText(tuning=tuning)


def test_what_was_tuned_has_an_identity_of_its_own_and_is_taken_back(tiny_bert: Path) -> None:
    encoder = PretrainedText(model=str(tiny_bert), tuning="lora")
    learning = encoder.learning(["rain"])
    assert learning is not None
    with torch.no_grad():
        for parameter in learning.learned:
            parameter.add_(0.5)
    frozen, before = encoder.encode(["rain"]), encoder.identity
    encoder.load_state(learning.learnt())
    assert before == encoder.untuned().identity != encoder.identity
    torch.testing.assert_close(encoder.encode(["rain"]), learning.encode(["rain"]), atol=1e-6, rtol=0)
    assert not torch.allclose(encoder.encode(["rain"]), frozen, atol=1e-3)
    assert torch.equal(encoder.anew().encode(["rain"]), frozen) and torch.equal(encoder.untuned().encode(["rain"]), frozen)
    assert encoder.parameters[1] == sum(parameter.numel() for parameter in learning.learned)
    assert encoder.parameters[0] == sum(parameter.numel() for parameter in encoder.untuned().language_model.parameters())


def test_tuned_weights_of_another_tuning_are_refused(tiny_bert: Path) -> None:
    lora = PretrainedText(model=str(tiny_bert), tuning="lora").learning(["rain"])
    other = PretrainedText(model=str(tiny_bert), tuning="adapter")
    assert lora is not None
    other.load_state(lora.learnt())
    with pytest.raises(ConfigError, match="tuned weights do not fit"):
        other.encode(["rain"])


def test_weights_of_another_encoder_are_sent_there() -> None:
    with pytest.raises(ConfigError, match=r"model = 'use-multilingual-v3': it is no transformer; use = \"MultilingualText\" reads it"):
        PretrainedText(model="use-multilingual-v3")


@pytest.mark.parametrize(
    "options",
    [
        {"memory": 0},
        {"precision": "int4"},
        {"precision": "int8", "memory": 1.0},
        {"augment": ["Typos"]},
        {"pooling": "max"},
        {"max_tokens": 2},
        {"batch": 0},
        {"model": ""},
        {"modell": "x"},
    ],
)
def test_bad_options(options: dict[str, object]) -> None:
    with pytest.raises(ConfigError, match="PretrainedText"):
        PretrainedText(**options)


@pytest.mark.parametrize(
    ("said", "told"),
    [
        ("Typoss", r"augment = \['Typoss'\]: use = 'Typoss': choose from .*Did you mean Typos\?"),
        ({"use": "TokenDropout", "shar": 0.5}, "TokenDropout has no option 'shar'"),
        ({"share": 0.5}, "needs use = one of"),
    ],
)
def test_what_varies_texts_is_checked_with_the_other_options(said: str | dict[str, object], told: str) -> None:
    with pytest.raises(ConfigError, match=told):
        PretrainedText(tuning="lora", augment=[said])


def test_what_varies_texts_need_not_work_where_a_run_is_read() -> None:
    PretrainedText(tuning="lora", augment=[{"use": "Synonyms", "folder": "/nowhere"}, "no_such_module:Mine"])


@pytest.mark.parametrize(
    ("break_it", "says"),
    [
        (lambda folder: (folder / "config.json").unlink(), "no config.json"),
        (lambda folder: (folder / "model.safetensors").rename(folder / "pytorch_model.bin"), "no safetensors"),
        (lambda folder: (folder / "model.safetensors").write_bytes(b"short"), "cannot be loaded"),
        (lambda folder: (folder / "config.json").write_text(json.dumps({"model_type": "bort", "hidden_size": 4})), "cannot be loaded"),
        (lambda folder: (folder / "config.json").write_text("{}"), "states no hidden_size"),
        (lambda folder: (folder / "config.json").write_text("{"), "not JSON"),
    ],
)
def test_folders_that_hold_no_model(tiny_bert: Path, tmp_path: Path, break_it: object, says: str) -> None:
    folder = Path(shutil.copytree(tiny_bert, tmp_path / "model"))
    break_it(folder)  # type: ignore[operator]
    with pytest.raises(ConfigError, match=says):
        PretrainedText(model=str(folder)).encode(["rain"])


@pytest.mark.parametrize("model", ["./nowhere", "/nowhere/at/all", "~/nowhere", "models/that/are/missing"])
def test_a_missing_folder(model: str) -> None:
    with pytest.raises(ConfigError, match="There is no folder"):
        PretrainedText(model=model).encode(["rain"])


def test_layers_on_disk_cannot_learn(tiny_bert: Path) -> None:
    with pytest.raises(ConfigError, match="memory leaves layers on disk, where nothing can learn"):
        PretrainedText(model=str(tiny_bert), memory=1.0, tuning="lora")
    frozen, little = PretrainedText(model=str(tiny_bert)), PretrainedText(model=str(tiny_bert), memory=1e-6)
    assert little.identity == frozen.identity
    torch.testing.assert_close(little.encode(["rain in space"]), frozen.encode(["rain in space"]), atol=1e-6, rtol=0)


def test_while_it_learns_items_and_words_keep_their_prefixes(tiny_bert: Path) -> None:
    marked = PretrainedText(model=str(tiny_bert), tuning="lora", item_prefix="new ", words_prefix="about ")
    learning = marked.learning(["rain", ""])
    assert learning is not None and learning.texts == ["new rain", ""]
    torch.testing.assert_close(learning.encode(learning.texts), marked.encode(["rain", ""]), atol=1e-6, rtol=0)
    torch.testing.assert_close(learning.encode_words(["rain", " "]), marked.for_words.encode(["rain", " "]), atol=1e-6, rtol=0)


@pytest.mark.parametrize("tuning", ["top:1", "full", "lora", "adapter", "prefix"])
def test_untuned_gives_frozen_vectors_back(tiny_model: Path, tuning: str) -> None:
    texts, frozen = ["rain", "war in space"], PretrainedText(model=str(tiny_model))
    encoder = PretrainedText(model=str(tiny_model), tuning=tuning, rank=2)
    learning = encoder.learning(texts)
    assert learning is not None
    with torch.no_grad():
        for parameter in learning.learned:
            parameter.add_(torch.randn_like(parameter) * 0.5)
    encoder.load_state(learning.learnt())
    assert not torch.allclose(encoder.encode(texts), frozen.encode(texts), atol=1e-3)
    untuned = encoder.untuned()
    assert torch.equal(untuned.encode(texts), frozen.encode(texts)) and untuned.identity == frozen.identity != encoder.identity


@pytest.mark.parametrize("precision", ["bf16", "int8"])
def test_lora_on_few_bits_begins_as_frozen_and_learns_in_float32(tiny_model: Path, precision: str) -> None:
    encoder = PretrainedText(model=str(tiny_model), precision=precision, tuning="lora")
    learning = encoder.learning(["rain", "war in space"])
    assert learning is not None and {parameter.dtype for parameter in learning.learned} == {torch.float32}
    vectors = learning(torch.tensor([0, 1]))
    near = 2e-3 if torch.cuda.is_available() else 1e-5  # a GPU sums in another order, and a step of bfloat16 is wide
    torch.testing.assert_close(vectors.detach().cpu(), encoder.untuned().encode(["rain", "war in space"]), atol=near, rtol=0)
    (vectors.cpu() * torch.arange(16.0)).sum().backward()
    assert any(parameter.grad is not None and parameter.grad.any() for parameter in learning.learned)


@pytest.mark.parametrize("tuning", ["top:1", "full", "adapter", "prefix"])
def test_nothing_else_learns_on_half_precision(tuning: str) -> None:
    with pytest.raises(ConfigError, match="of weights in fp16 only tuning = 'lora' learns"):
        PretrainedText(precision="fp16", tuning=tuning)


@pytest.mark.parametrize(("said", "asked"), [({}, "cuda"), ({"device": "cpu"}, "cpu")])
def test_it_works_where_training_does(said: dict[str, str], asked: str, tiny_bert: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Beside a GPU, that of this test by its word alone; of every encoder that the given one makes."""
    found = []

    def moved(self: LanguageModel, device: torch.device) -> LanguageModel:
        found.append(device.type)
        return self

    monkeypatch.setenv("GERMANE_CACHE", str(tmp_path))
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(LanguageModel, "to", moved)
    recommender = Recommender(ContentNeighbours(), text=PretrainedText(model=str(tiny_bert), words_prefix="query: "))
    fit(recommender, small_shop(), LeaveLastOut().divide(small_shop()), TrainingOptions(**said))
    recommender.encode_words(["boots"])
    made = recommender.text
    for encoder in (made.anew(), made.untuned()):
        encoder.encode(["boots"])
    static = StaticText(model=str(tiny_bert), tokens="input")
    static.on(said.get("device", "auto"))
    static.encode(["boots"])
    assert found == [asked] * 4


def test_layers_on_disk_leave_the_gpu_alone_where_they_are_told_to(tiny_bert: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda card: (10**9, 10**9))
    encoder = PretrainedText(model=str(tiny_bert), memory=1e-6)
    encoder.on("cpu")
    assert encoder.encode(["rain in space"]).norm() > 0.99
    assert set(encoder.language_model.body.hf_device_map.values()) <= {"cpu", "disk"} and encoder.language_model.device.type == "cpu"


def test_a_device_that_is_not_there_is_said_before_a_text_is_encoded(tiny_bert: Path) -> None:
    encoder = PretrainedText(model=str(tiny_bert))
    with pytest.raises(TrainingError, match=r"device 'gpu' is not there \(.*\): use auto, cpu or cuda"):
        fit(Recommender(ContentNeighbours(), text=encoder), small_shop(), LeaveLastOut().divide(small_shop()), TrainingOptions(device="gpu"))
    assert "language_model" not in vars(encoder)


def test_positions_that_begin_behind_padding_are_fewer(tiny_bert: Path, tmp_path: Path) -> None:
    """RoBERTa's kind: of 20 places two are never a token's."""
    from transformers import AutoTokenizer, RobertaConfig, RobertaModel

    tokenizer = AutoTokenizer.from_pretrained(tiny_bert)
    tokenizer.model_max_length = int(1e30)
    tokenizer.save_pretrained(tmp_path)
    sizes = {"hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 32}
    RobertaModel(RobertaConfig(vocab_size=64, max_position_embeddings=20, pad_token_id=1, **sizes)).save_pretrained(tmp_path)
    encoder = PretrainedText(model=str(tmp_path))
    assert encoder.language_model.limit == 18 and WordHead(tmp_path, 64, 0).limit == 18
    encoder.encode([" ".join(["rain"] * 40)])
