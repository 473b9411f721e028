"""Policies: from scored candidates to what is shown, with the chance of each place."""

from __future__ import annotations

from .base import Choice, Policy, Scored
from .epsilon_greedy import EpsilonGreedy
from .greedy import Greedy
from .plackett_luce import PlackettLuce

__all__ = ["Choice", "EpsilonGreedy", "Greedy", "PlackettLuce", "Policy", "Scored"]
