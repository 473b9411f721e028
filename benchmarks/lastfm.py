"""Last.fm: a tag is typed, which artist gets it? The recipe configs/lastfm.toml by time, three seeds, beside a search engine's own means.

    GERMANE_DATA=... python benchmarks/lastfm.py
    python benchmarks/lastfm.py --quick    # a rehearsal

The model is trained again on training and validation events for the epochs that validation chose; all rivals know both parts too. "unseen words" are
the held-out events whose tags share no word with any tag of those: what was learnt of tags by heart is of no use there. "BM25" searches the typed
words in each artist's name and past tags (k1 1.2, b .75); "popular within tag" counts how often each artist got the typed tags, then how often it
was tagged at all.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from _claims import Wanted
from _harness import Benchmark
from _plans import Plan, recipe

K1, B = 1.2, 0.75


def without_baselines(seed: int, folder: Path) -> dict[str, Any]:
    """They are fitted beside the run instead, where single cases are at hand."""
    said = recipe("lastfm")(seed, folder)
    return {**said, "evaluation": {**said["evaluation"], "baselines": []}}


def rivals(trained: Any) -> None:
    import numpy as np

    from germane import models
    from germane.component import build
    from germane.config import read_toml

    for baseline in read_toml(Path(__file__).parents[1] / "configs" / "lastfm.toml")["evaluation"]["baselines"]:
        said = {"use": baseline} if isinstance(baseline, str) else baseline
        trained.add_model(build(said, models, models.Model, "baselines:"))
    dataset, split = trained.dataset, trained.split
    typed = dataset.events["words"].fill_null("").to_list()
    learnt = np.sort(np.concatenate([split.train, split.validation])) if trained.config.training.refit else split.train
    trained.add_scores("BM25", bm25(dataset, learnt, typed))
    trained.add_scores("popular within tag", within_tag(dataset, learnt, typed))
    known = {word for row in learnt for word in words_of(typed[row])}
    asked = split.test if len(split.test) else split.validation
    trained.add_segment("unseen words", np.array([row for row in asked if typed[row] and not known & set(words_of(typed[row]))], dtype=np.int64))


def words_of(text: str) -> list[str]:
    return re.findall(r"\w+", text.lower())


def counted(keys: list[list[str]], known: dict[str, int] | None = None) -> tuple[Any, dict[str, int]]:
    """[rows, distinct] how often each key stands in each row; ``known``: count these keys only."""
    from scipy.sparse import csr_matrix

    places = known if known is not None else {key: n for n, key in enumerate(sorted({key for row in keys for key in row}))}
    cells = [(n, places[key]) for n, row in enumerate(keys) for key in row if key in places]
    rows, columns = zip(*cells, strict=True) if cells else ((), ())
    return csr_matrix(([1.0] * len(cells), (rows, columns)), shape=(len(keys), len(places))), places


def bm25(dataset: Any, train: Any, typed: list[str]) -> Any:
    import numpy as np
    from scipy.sparse import diags

    said = [words_of(name or "") for name in dataset.items["name"].to_list()]
    for row in train:
        said[int(dataset.item_codes[row])] += words_of(typed[row])
    counts, places = counted(said)
    lengths = np.asarray(counts.sum(1)).ravel()
    floor = K1 * (1 - B + B * lengths / max(lengths.mean(), 1e-9))
    holding = np.asarray((counts > 0).sum(0)).ravel()
    rarity = np.log1p((counts.shape[0] - holding + 0.5) / (holding + 0.5))
    weights = counts.copy()
    weights.data = counts.data * (K1 + 1) / (counts.data + np.repeat(floor, np.diff(counts.indptr)))
    weights = (weights @ diags(rarity)).T.tocsr()  # [words, artists]
    return lambda rows: (counted([words_of(typed[row]) for row in rows], places)[0] @ weights).toarray()


def within_tag(dataset: Any, train: Any, typed: list[str]) -> Any:
    import numpy as np
    from scipy.sparse import csr_matrix

    tags = [typed[row].lower().split(", ") if typed[row] else [] for row in train]
    used, places = counted(tags)
    taken = csr_matrix((np.ones(len(train)), (np.arange(len(train)), dataset.item_codes[train])), shape=(len(train), dataset.n_items))
    counts = (used.T @ taken).tocsr()  # [tags, artists]
    overall = np.asarray(taken.sum(0)).ravel()

    def scores(rows: Any) -> Any:
        asked = counted([typed[row].lower().split(", ") for row in rows], places)[0]
        return (asked @ counts).toarray() + overall / (overall.max() + 1)

    return scores


BENCHMARK = Benchmark(
    __file__,
    "Typed words over the whole catalogue: Last.fm",
    plans=[Plan("lastfm", without_baselines, beside=rivals, needs="LastFM")],
    metrics=("ndcg@10", "recall@10"),
    segments=("all", "unseen words", "new items"),
    wanted=[
        Wanted("NDCG@10 over that of the best rival", "lastfm", rivals="all", least=1.0, p_below=0.01),
        Wanted("NDCG@10 over that of the best rival where the words are unseen", "lastfm", rivals="all", segment="unseen words", least=1.0),
    ],
)

if __name__ == "__main__":
    BENCHMARK.main()
