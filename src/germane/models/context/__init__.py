"""The flagship and its parts."""

from .options import ContextTransformerOptions
from .transformer import ContextTransformer

__all__ = ["ContextTransformer", "ContextTransformerOptions"]
