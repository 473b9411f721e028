"""Options chosen on validation: the space, a trial, the study that remembers them, the processes that try, what is told of them."""

from .search import Found, left_in, search

__all__ = ["Found", "left_in", "search"]
