"""How much memory this process has needed at most."""

from __future__ import annotations

import sys

import torch

__all__ = ["peak_gpu_mb", "peak_mb"]


def peak_mb() -> float:
    """MB so far; not a number where the system does not tell.

    >>> peak_mb() > 0 or peak_mb() != peak_mb()
    True
    """
    try:
        import resource
    except ImportError:  # Windows
        return float("nan")
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / (1 << 20 if sys.platform == "darwin" else 1 << 10)


def peak_gpu_mb() -> float:
    """MB that this process has taken of its GPU at most; 0 where it uses none.

    >>> peak_gpu_mb() >= 0
    True
    """
    return torch.cuda.max_memory_allocated() / (1 << 20) if torch.cuda.is_initialized() else 0.0
