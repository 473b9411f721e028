"""Arrays to numbers."""

from .ranking import average_precision, hit, mrr, ndcg, precision, rank_of, recall
from .significance import bootstrap_interval, paired_test

__all__ = ["average_precision", "bootstrap_interval", "hit", "mrr", "ndcg", "paired_test", "precision", "rank_of", "recall"]
