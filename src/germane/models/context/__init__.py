"""The flagship and its parts."""

from .transformer import ContextTransformer

__all__ = ["ContextTransformer"]
