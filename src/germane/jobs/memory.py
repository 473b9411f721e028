"""How much memory this process has needed at most."""

from __future__ import annotations

import sys

__all__ = ["peak_mb"]


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
