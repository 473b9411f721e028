"""How much of a language model learns: nothing, its top layers, all of it, or a few numbers put into it (LoRA, adapter, prefix)."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from ..errors import ConfigError, nearest
from .bottleneck import Bottlenecks
from .language_model import LanguageModel
from .prefix import Prefixes
from .transformers_folder import hushed

__all__ = ["TUNINGS", "Adaptation", "adapt", "behind", "check_tuning", "depths", "fold", "in_bytes", "layers_of", "put", "trained"]

TUNINGS = ("frozen", "top:N", "full", "lora", "adapter", "prefix")
HALVES = (torch.float16, torch.bfloat16)


@dataclass(frozen=True)
class Adaptation:
    """What ``tuning`` asks of a language model. At the start every kind leaves its answers exactly as they are.

    ``top:N`` and ``full`` change the model's own weights: most to gain, most to spoil and to keep. ``lora`` (Hu et al. 2022) adds a product of two
    thin matrices to some of them, ``adapter`` (Houlsby et al. 2019) a narrow layer behind each layer, ``prefix`` (Li and Liang 2021; gated as by
    Zhang et al. 2023, arXiv 2303.16199) a few places that each layer attends to besides the text. On a CPU these save storage and overfitting, not
    much time; ``top:N`` saves time too, since nothing is carried back below it.

    >>> Adaptation("top:2").top, Adaptation("lora").top
    (2, None)
    """

    tuning: str = "frozen"
    rank: int = 8
    """Of LoRA."""
    alpha: int = 16
    """Of LoRA: what is added counts alpha / rank times."""
    targets: Sequence[str] | str | None = None
    """Of LoRA: names of the linear maps, or ``all-linear``; None: query and value, as peft or else the family calls them."""
    size: int = 32
    """Of the adapter: width of its narrow layer."""
    places: int = 16
    """Of the prefix."""
    layers: int | None = None
    """Of LoRA, adapter and prefix: how many layers, from the top, they are put into; None: all. As with ``top:N``, those below need no pass of their
    own then (``LowerStates``)."""

    @property
    def learns(self) -> bool:
        return self.tuning != "frozen"

    @property
    def top(self) -> int | None:
        return int(self.tuning[4:]) if self.tuning.startswith("top:") else None


def check_tuning(value: str) -> str:
    """The value, or an error that says what is allowed.

    >>> check_tuning("lorra")
    Traceback (most recent call last):
    ...
    ValueError: should be frozen, top:N (the N top layers), full, lora, adapter or prefix. Did you mean lora?
    """
    if not re.fullmatch(r"frozen|full|lora|adapter|prefix|top:[1-9]\d{0,2}", value):
        raise ValueError(f"should be frozen, top:N (the N top layers), full, lora, adapter or prefix.{nearest(value, TUNINGS)}")
    return value


def adapt(model: LanguageModel, how: Adaptation) -> dict[str, nn.Parameter]:
    """Make ``model`` learn as is said; what learns, by its name in ``model.body``, in the order of the layers from the bottom to the top.

    What is put in is drawn from torch's generator, which goes on as if nothing had been: all else begins as with a frozen model. On the CPU, where
    a model is before it is moved, so that no other generator has a part in it. A backbone that cannot do it is an error.
    """
    with torch.random.fork_rng(devices=[]):
        _put_in(model, how)
    return {name: parameter for name, parameter in model.body.named_parameters() if parameter.requires_grad}


def _put_in(model: LanguageModel, how: Adaptation) -> None:
    by_layer = how.top is not None or how.layers is not None or how.tuning in ("adapter", "prefix")
    body, layers = model.body, layers_of(model.body, needed=by_layer)
    if (how.top or how.layers or 0) > len(layers):
        said = f"tuning = {how.tuning!r}" if how.top else f"layers = {how.layers}"
        raise ConfigError(f"[text] {said}: this language model has {len(layers)} layers.")
    into = layers[-how.layers :] if how.layers else layers
    if how.tuning == "full":
        body.requires_grad_(True)
    elif how.top is not None:
        for layer in (*layers[-how.top :], *behind(body)):
            layer.requires_grad_(True)
    elif how.tuning == "lora":
        _lora(body, how)
        for layer in layers[: len(layers) - len(into)]:
            for name, part in _products(layer).items():
                _bare(layer, name, part)
    elif how.tuning == "adapter":
        Bottlenecks(into, body.config.hidden_size, how.size)
    elif how.tuning == "prefix":
        Prefixes(model, how.places, into)


def fold(model: LanguageModel) -> None:
    """Add LoRA's products to the weights that they belong to: the same answers without a further multiplication. Nothing learns afterwards.

    Weights of fewer bits would round much of them away: there they stay beside.
    """
    model.requires_grad_(False)
    for name, part in _products(model.body).items():
        weight = part.get_base_layer().weight
        if not in_bytes(weight) and weight.dtype not in HALVES:
            part.merge()
            _bare(model.body, name, part)


def in_bytes(weight: Tensor) -> bool:
    """Whether it is one of ``precision = "int8"``: torchao's kind, told by its name, as torchao need not be installed."""
    return type(weight).__name__ == "Int8Tensor"


def layers_of(body: Any, *, needed: bool = True) -> list[nn.Module]:
    """The transformer layers, from the bottom to the top; where it does not say which they are, as ALBERT's that share their weights, an error, or
    none where they are not ``needed``."""
    pile = _pile(body)
    if pile is None and needed:
        raise ConfigError(f"[text] tuning: {type(body).__name__} does not say which its layers are; choose frozen, full, or lora without layers.")
    return [] if pile is None else list(pile)


def _pile(body: Any) -> nn.ModuleList | None:
    wanted = getattr(body.config, "num_hidden_layers", None)
    return next((part for part in body.modules() if isinstance(part, nn.ModuleList) and len(part) == wanted), None)


def depths(body: Any, names: Sequence[str]) -> list[int]:
    """Of each parameter the layer that it stands in: 0 = below all layers, 1 = the bottom layer, …; what stands behind them counts as the last."""
    found, places = dict(body.named_parameters()), _places(body)
    of = {id(parameter): places[part] for part in body.modules() for parameter in part.parameters(recurse=False)}
    return [of[id(found[name])] for name in names]


def _places(body: Any) -> dict[nn.Module, int]:
    """As ``depths``, of each module. Models name their parts in the order in which they are gone through, but for a norm or a map that is called
    final, and for what all layers read of how far apart places are."""
    pile = _pile(body)
    if pile is None:
        return dict.fromkeys(body.modules(), 0)
    within = {inner: place for place, layer in enumerate(pile, 1) for inner in layer.modules()}
    places: dict[nn.Module, int] = {}
    passed = False
    for name, part in body.named_modules():
        passed = passed or part is pile
        path, parent = name.split("."), body.get_submodule(name.rpartition(".")[0])
        shared = any(step.startswith("rel") for step in path) or hasattr(parent, "rel_embeddings")  # MPNet, DeBERTa
        final = path[-1].startswith(("final", "project_out"))  # OPT says it before its layers
        places[part] = within.get(part, len(pile) if final or (passed and not shared) else 0)
    return places


def behind(body: Any) -> list[nn.Module]:
    """The norm behind the last layer, where there is one."""
    inside = {inner for layer in layers_of(body) for inner in layer.modules()}
    last = len(layers_of(body))
    return [part for part, place in _places(body).items() if place == last and part not in inside and "norm" in type(part).__name__.lower()]


QUERY_AND_VALUE = (("query", "value"), ("q_lin", "v_lin"), ("q_proj", "v_proj"), ("q", "v"), ("Wqkv",), ("qkv_proj",), ("query_key_value",))
"""What families call these maps, apart or all three in one."""


def _query_and_value(body: Any) -> list[str] | str:
    """What peft takes of this family; of one that it does not know, their names."""
    with hushed():
        from peft.utils.constants import TRANSFORMERS_MODELS_TO_LORA_TARGET_MODULES_MAPPING as KNOWN

    if known := KNOWN.get(body.config.model_type):
        return known if isinstance(known, str) else list(known)
    linear = _linear(body)
    for names in QUERY_AND_VALUE:
        if set(names) <= set(linear):
            return list(names)
    raise ConfigError(
        f"[text] tuning = 'lora': it is not known which maps of this model are query and value; say targets, of {', '.join(linear)}; or all-linear."
    )


def _linear(body: Any) -> list[str]:
    """Names of the linear maps."""
    return sorted({name.rpartition(".")[2] for name, part in body.named_modules() if isinstance(part, nn.Linear)})


def _lora(body: Any, how: Adaptation) -> None:
    with hushed():
        from peft import LoraConfig, inject_adapter_in_model
    from transformers.pytorch_utils import Conv1D

    linear = _linear(body)
    targets = list(how.targets) if how.targets is not None and not isinstance(how.targets, str) else how.targets or _query_and_value(body)
    turned = any(isinstance(part, Conv1D) for part in body.modules())  # GPT-2 keeps its maps the other way round
    config = LoraConfig(r=how.rank, lora_alpha=how.alpha, target_modules=targets, lora_dropout=0.0, bias="none", fan_in_fan_out=turned)
    try:
        with hushed():
            inject_adapter_in_model(config, body)
    except (ValueError, re.error) as error:
        reason, more = str(error).strip().split("\n")[0].rstrip("."), "" if targets == "all-linear" else "; or say all-linear"
        raise ConfigError(f"[text] targets = {targets!r}: {reason}. Linear maps of this model are {', '.join(linear)}{more}.") from None
    for parameter in body.parameters():
        if parameter.requires_grad and parameter.dtype in HALVES:  # small steps would be lost in half precision
            parameter.data = parameter.data.float()


def _products(body: nn.Module) -> dict[str, Any]:
    """LoRA's, with the maps that they stand beside."""
    with hushed():
        from peft.tuners.tuners_utils import BaseTunerLayer

    return {name: part for name, part in body.named_modules() if isinstance(part, BaseTunerLayer)}


def _bare(body: nn.Module, name: str, part: Any) -> None:
    """Put the map in the place of itself and its product."""
    parent, _, own = name.rpartition(".")
    setattr(body.get_submodule(parent), own, part.get_base_layer())


def trained(body: nn.Module, names: Sequence[str]) -> dict[str, Tensor]:
    """These parameters as they are now, on the CPU."""
    found = dict(body.named_parameters())
    return {name: found[name].detach().cpu().clone() for name in names}


def put(body: nn.Module, weights: dict[str, Tensor]) -> None:
    """Take back what ``trained`` gave; an error where it is of another model or tuning."""
    found = dict(body.named_parameters())
    wrong = [name for name, tensor in weights.items() if name not in found or found[name].shape != tensor.shape]
    if wrong:
        raise ConfigError(f"the tuned weights do not fit the language model: it has no {wrong[0]} of that size. Were model or tuning changed since?")
    with torch.no_grad():
        for name, tensor in weights.items():
            found[name].copy_(tensor)
