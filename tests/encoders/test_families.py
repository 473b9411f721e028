from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from germane.encoders.families import Family, family_of
from germane.errors import ConfigError


def folder_of(folder: Path, config: dict[str, Any], **beside: dict[str, Any]) -> Path:
    (folder / "config.json").write_text(json.dumps(config), encoding="utf-8")
    for name, content in beside.items():
        file = folder / {"pooling": "1_Pooling/config.json", "prompts": "config_sentence_transformers.json"}[name]
        file.parent.mkdir(exist_ok=True)
        file.write_text(json.dumps(content), encoding="utf-8")
    return folder


@pytest.mark.parametrize(
    ("config", "kind"),
    [
        ({"architectures": ["LlamaForCausalLM"]}, "decoder"),
        ({"architectures": ["GPT2LMHeadModel"]}, "decoder"),
        ({"architectures": ["GPT2Model"], "model_type": "gpt2"}, "decoder"),
        ({"model_type": "qwen3"}, "decoder"),
        ({"architectures": ["BertModel"], "model_type": "bert"}, "encoder"),
        ({"architectures": ["XLMRobertaForMaskedLM"]}, "encoder"),
        ({"architectures": ["MPNetModel"], "model_type": "mpnet"}, "encoder"),
        ({"model_type": "modernbert"}, "encoder"),
    ],
)
def test_encoders_and_decoders(tmp_path: Path, config: dict[str, Any], kind: str) -> None:
    assert family_of(folder_of(tmp_path, config), "mine") == Family(kind)  # type: ignore[arg-type]


def test_what_the_folder_says_of_pooling_and_prompts(tmp_path: Path) -> None:
    prompts = {"prompts": {"query": "Ask: ", "document": "Tell: "}}
    found = family_of(folder_of(tmp_path, {"model_type": "bert"}, pooling={"pooling_mode_cls_token": True}, prompts=prompts), "mine")
    assert found == Family("encoder", "cls", "Tell: ", "Ask: ")
    last = {"pooling_mode_lasttoken": True, "pooling_mode_mean_tokens": False}
    assert family_of(folder_of(tmp_path, {"model_type": "qwen3"}, pooling=last, prompts={}), "mine") == Family("decoder", "last")


@pytest.mark.parametrize(
    ("said", "pooling"),
    [
        ({"pooling_mode": "cls", "include_prompt": True}, "cls"),
        ({"pooling_mode": ["lasttoken"]}, "last"),
        ({"pooling_mode": "mean_sqrt_len_tokens"}, "mean"),  # of unit length it is the mean
        ({"pooling_mode_cls_token": False, "pooling_mode_mean_sqrt_len_tokens": True}, "mean"),
        ({"pooling_mode_cls_token": False, "pooling_mode_mean_tokens": False}, "mean"),
    ],
)
def test_pooling_is_read_in_either_spelling(tmp_path: Path, said: dict[str, Any], pooling: str) -> None:
    assert family_of(folder_of(tmp_path, {"model_type": "bert"}, pooling=said), "mine").pooling == pooling


@pytest.mark.parametrize(
    ("said", "named"),
    [
        ({"pooling_mode_max_tokens": True, "pooling_mode_mean_tokens": False}, "max_tokens"),
        ({"pooling_mode_cls_token": True, "pooling_mode_mean_tokens": True}, "cls_token and mean_tokens"),
        ({"pooling_mode": ["cls", "mean"]}, "cls and mean"),
        ({"pooling_mode": "weightedmean"}, "weightedmean"),
        ({"pooling_mode": 5}, "5"),
    ],
)
def test_pooling_that_there_is_not_is_refused_until_another_is_said(tmp_path: Path, said: dict[str, Any], named: str) -> None:
    folder = folder_of(tmp_path, {"model_type": "bert"}, pooling=said)
    with pytest.raises(ConfigError, match=rf'1_Pooling/config.json asks for the pooling {named}, and .* such as \[text\] pooling = "mean"'):
        family_of(folder, "mine")
    assert family_of(folder, "mine", "cls").pooling == "cls"


@pytest.mark.parametrize("name", ["intfloat/e5-small-v2", "intfloat/multilingual-e5-base", "models/e5-large"])
def test_e5_is_told_what_it_reads(tmp_path: Path, name: str) -> None:
    assert family_of(folder_of(tmp_path, {"model_type": "bert"}), name) == Family("encoder", "mean", "passage: ", "query: ")


def test_a_name_with_e5_in_it_is_not_e5(tmp_path: Path) -> None:
    assert family_of(folder_of(tmp_path, {"model_type": "bert"}), "me/core5-small-titles") == Family("encoder")


def test_both_at_once_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"encoder with a decoder \(T5ForConditionalGeneration\)"):
        family_of(folder_of(tmp_path, {"architectures": ["T5ForConditionalGeneration"], "is_encoder_decoder": True}), "t5")


def test_the_tiny_models(tiny_bert: Path, tiny_llama: Path, tmp_path: Path) -> None:
    assert family_of(tiny_bert, "x").kind == "encoder" and family_of(tiny_llama, "x").kind == "decoder"
    broken = Path(shutil.copytree(tiny_bert, tmp_path / "broken"))
    (broken / "1_Pooling").mkdir()
    (broken / "1_Pooling" / "config.json").write_text("{", encoding="utf-8")
    with pytest.raises(ConfigError, match=r"1_Pooling/config.json is not JSON"):
        family_of(broken, "x")


@pytest.mark.parametrize("prompts", [["Ask: "], {"query": 5}])
def test_files_of_another_shape_are_refused(tmp_path: Path, prompts: Any) -> None:
    with pytest.raises(ConfigError, match=r"config_sentence_transformers\.json holds prompts that are no table of texts"):
        family_of(folder_of(tmp_path, {"model_type": "bert"}, prompts={"prompts": prompts}), "mine")
    (tmp_path / "config_sentence_transformers.json").write_text("[1]")
    with pytest.raises(ConfigError, match=r"config_sentence_transformers\.json holds no JSON object"):
        family_of(tmp_path, "mine")


def test_a_family_is_written_as_it_is_read(tiny_bert: Path, tmp_path: Path) -> None:
    import shutil

    from germane.encoders.families import Family, family_of, write_family

    folder = Path(shutil.copytree(tiny_bert, tmp_path / "model"))
    for family in (Family("encoder", "cls", "passage: ", "query: "), Family("encoder", "last"), Family("encoder")):
        write_family(family, folder)
        assert family_of(folder, "model") == family
