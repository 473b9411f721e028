"""Arrays to numbers."""

from .beyond_accuracy import coverage, gini, intra_list_diversity, novelty
from .probability import auc, auc_interval, ece, log_loss, normalised_entropy
from .ranking import average_precision, hit, mrr, ndcg, precision, rank_of, recall
from .rating import mae, rmse
from .reliability import Reliability, reliability
from .significance import bootstrap_interval, holm, paired_t, paired_test

__all__ = [
    "Reliability",
    "auc",
    "auc_interval",
    "average_precision",
    "bootstrap_interval",
    "coverage",
    "ece",
    "gini",
    "hit",
    "holm",
    "intra_list_diversity",
    "log_loss",
    "mae",
    "mrr",
    "ndcg",
    "normalised_entropy",
    "novelty",
    "paired_t",
    "paired_test",
    "precision",
    "rank_of",
    "recall",
    "reliability",
    "rmse",
]
