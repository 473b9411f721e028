"""The command line: parse, call the function of that name, print."""

from . import learning, runs, weights  # they register their commands, in the order of --help
from .app import app
from .running import main

__all__ = ["app", "learning", "main", "runs", "weights"]
