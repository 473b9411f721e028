"""Options chosen on validation: the space, a trial, the study that remembers them, the processes that try, what is told of them."""

from .search import Found, TimeEnded, left_in, search

__all__ = ["Found", "TimeEnded", "left_in", "search"]
