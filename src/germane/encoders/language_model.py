"""A pretrained transformer from a folder: texts to tokens, tokens to one vector each, with gradients where they are asked for."""

from __future__ import annotations

import shutil
import tempfile
import threading
import weakref
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Literal

import torch
from torch import Tensor, nn
from torch.nn import functional

from ..errors import ConfigError
from .device import choose_device
from .families import Pooling
from .transformers_folder import hushed, most_tokens, read_folder

__all__ = ["ONE_AT_A_TIME", "LanguageModel", "Precision", "pooled"]

Precision = Literal["float32", "bf16", "fp16", "int8"]
TYPES = {"float32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16, "int8": torch.float32}
"""Of ``int8`` those of what is no linear map."""
# A fast tokenizer must not be used by two threads at once; one language model at a time uses all cores anyway.
ONE_AT_A_TIME = threading.RLock()


class LanguageModel(nn.Module):
    """A transformer (``body``) and its tokenizer. Frozen as it comes; ``encoders/adaptation.py`` says what of it may learn."""

    def __init__(
        self,
        folder: Path,
        pooling: Pooling,
        max_tokens: int,
        tokenizer: Path | None = None,
        *,
        precision: Precision = "float32",
        memory: float | None = None,
        device: str = "auto",
    ) -> None:
        """``tokenizer``: a folder of its own; absent, it lies beside the weights. ``memory``: gigabytes that the weights may take of the CPU's
        memory; what is beyond stays on disk and is read layer by layer, each time. ``device``: where these layers work; a model that is whole in
        memory begins on the CPU, and is moved as any other."""
        super().__init__()
        self.pooling, self._layered_on = pooling, device
        self.tokenizer, self.body = _load(folder, tokenizer or folder, precision, {} if memory is None else self._placement(memory))
        self.body.eval().requires_grad_(False)
        self.limit = most_tokens(self.body, self.tokenizer, max_tokens)
        """Tokens of a text at most."""

    def checkpointing(self, on: bool = True) -> None:
        """Whether the body, while it is in training mode, keeps what goes into each layer and works out the rest again on the way back: less memory,
        more time, the same gradients."""
        body = self.body
        if not body.supports_gradient_checkpointing:
            if on:
                kind = type(body).__name__
                raise ConfigError(f"checkpointing: transformers cannot work out the layers of {kind} again; leave training.checkpointing out.")
            return
        # transformers renames the two; the older names warn
        names = [f"activation_checkpointing_{end}" for end in ("enable", "disable")]
        enable, disable = (getattr(body, name, None) or getattr(body, name.replace("activation", "gradient")) for name in names)
        if on:
            body.config.use_cache = False  # nothing is generated, and the two do not go together
            enable({"use_reentrant": False})
            body.disable_input_require_grads()  # asked for by the other way; it would send gradients through frozen layers
        else:
            disable()

    def tokens(self, texts: Sequence[str]) -> dict[str, Tensor]:
        """What the body reads, each [texts, longest], padded on the right, on the body's device."""
        with ONE_AT_A_TIME:
            read = self.tokenizer(list(texts), padding=True, truncation=True, max_length=self.limit, return_tensors="pt")
        return dict(read.to(self.device))

    def alone(self, codes: Tensor) -> dict[str, Tensor]:
        """Each of these tokens [n] as a text of its own, between the marks that the tokenizer puts around one."""
        with ONE_AT_A_TIME:
            framed = self.tokenizer("a", return_special_tokens_mask=True)
        marks, own = framed["input_ids"], [place for place, special in enumerate(framed["special_tokens_mask"]) if not special]
        read = torch.tensor([*marks[: own[0]], 0, *marks[own[-1] + 1 :]]).repeat(len(codes), 1)
        read[:, own[0]] = codes
        return {"input_ids": read.to(self.device), "attention_mask": torch.ones_like(read, device=self.device)}

    @property
    def device(self) -> torch.device:
        device: torch.device = self.body.device
        if device.type == "meta":  # the weights lie on disk; each layer fetches its own
            return choose_device(self._layered_on)
        return device

    def _placement(self, memory: float) -> dict[str, Any]:
        room: dict[int | str, int] = {"cpu": int(memory * 1e9)}
        place = choose_device(self._layered_on)
        cards = [] if place.type != "cuda" else range(torch.cuda.device_count()) if place.index is None else [place.index]
        for card in cards:
            room[card] = int(torch.cuda.mem_get_info(card)[0] * 0.8)  # the rest is for what layers make
        spill = tempfile.mkdtemp(prefix="germane-layers-")
        weakref.finalize(self, shutil.rmtree, spill, True)
        return {"device_map": "auto", "max_memory": room, "offload_folder": spill}

    def forward(self, tokens: dict[str, Tensor]) -> Tensor:
        """[texts, width] of unit length, float32 at least."""
        states = self.body(**tokens).last_hidden_state  # [texts, tokens, width]
        vectors = pooled(states if states.dtype == torch.float64 else states.float(), tokens["attention_mask"], self.pooling)
        return functional.normalize(vectors, dim=-1)

    def encode(self, texts: Sequence[str], batch: int, read: Callable[[Sequence[str]], Tensor] | None = None) -> Tensor:
        """[texts, width] float32 on the CPU, without gradients, ``batch`` at a time; an empty text gives zeros. ``read``: goes through the model in
        another way."""
        through = read if read is not None else lambda some: self(self.tokens(some))
        vectors = torch.zeros(len(texts), self.body.config.hidden_size)
        rows = sorted((row for row, text in enumerate(texts) if text.strip()), key=lambda row: len(texts[row]))  # little padding
        with ONE_AT_A_TIME, torch.inference_mode():
            for start in range(0, len(rows), batch):
                at = rows[start : start + batch]
                vectors[at] = through([texts[row] for row in at]).float().cpu()
        return vectors


def pooled(states: Tensor, there: Tensor, pooling: Pooling) -> Tensor:
    """``states`` [texts, tokens, width], ``there`` [texts, tokens] 1 where a token is, wherever the padding is -> [texts, width]."""
    if pooling == "mean":
        mask = there.unsqueeze(-1).to(states.dtype)
        return (states * mask).sum(1) / mask.sum(1).clamp(min=1)
    places = torch.arange(there.shape[1], device=there.device)
    present = there.bool()
    place = torch.where(present, places, len(places)).amin(1) if pooling == "cls" else torch.where(present, places, -1).amax(1)
    return states[torch.arange(len(states), device=states.device), place.clamp(0, len(places) - 1)]


def _of_bytes() -> dict[str, Any]:
    """What makes transformers keep linear maps as int8, a scale for each row of weights: worked out in float32, and learnt on top of by LoRA."""
    try:
        with hushed():
            from torchao.quantization import Int8WeightOnlyConfig
            from transformers import TorchAoConfig
    except ImportError:
        raise ConfigError("[text] precision = 'int8' is worked out by torchao, which is not installed: pip install 'germane[int8]'.") from None
    return {"quantization_config": TorchAoConfig(Int8WeightOnlyConfig())}


def _load(folder: Path, tokens: Path, precision: Precision, placement: dict[str, Any]) -> tuple[Any, Any]:
    from transformers import AutoModel

    if precision == "int8":
        placement = {**placement, **_of_bytes()}
    tokenizer, body, _ = read_folder(AutoModel, folder, tokens, dtype=TYPES[precision], **placement)
    return tokenizer, body
