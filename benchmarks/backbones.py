"""Encoders of texts: what each knows of new items, and what it costs. The shelf of new Beauty items, by the words of their titles alone.

    GERMANE_DATA=... python benchmarks/backbones.py
    python benchmarks/backbones.py --quick    # a rehearsal

One item in ten is left out of training (configs/cold_items.toml); ``ContentNeighbours`` (fade 0.6, 256 whitened axes) orders the new items among
themselves for users whose held-out item is one of them. Only the vectors differ. To keep a decoder within minutes it is done for 500 of those
users, the same for all encoders, with the texts of all new items and of the last events of these users. Speed is told for 1,000 texts of 16 words,
from 256 of them, once the model is loaded; memory is what model and encoding add to the process.

"trained and served" is configs/beauty.toml for 500 users, three epochs, with the encoder frozen: trained, saved, loaded, and asked for ten items;
"ms a list" and "ms with words" (six typed words, never the same, so that they are encoded anew) are medians of 50 single questions after one more,
"s to load" the time of ``germane.load``, "s to first words" that of the first question in words, which loads the language model, and "s to train"
that of all before, without the reading of texts that an earlier run has cached.
"""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

from _claims import Wanted
from _harness import Benchmark
from _plans import Plan, Row, measured, recipe

SERVED, ASKED = 500, 50
USERS, LAST, FADE, AXES = 500, 5, 0.6, 256
WORDS = (
    *("gentle", "daily", "moisturizing", "shampoo", "for", "dry", "damaged", "hair", "with", "organic"),
    *("argan", "oil", "and", "natural", "scent", "free", "of", "parabens", "sulfates"),
)

ENCODERS: dict[str, dict[str, Any]] = {
    "HashedText": {"use": "HashedText"},
    "StaticText": {"use": "StaticText"},
    "StaticText input": {"use": "StaticText", "tokens": "input"},
    "StaticText alike": {"use": "StaticText", "frequent": "alike"},
    "MultilingualText": {"use": "MultilingualText"},
    "MiniLM": {"use": "PretrainedText"},
    "SmolLM2 mean": {"use": "PretrainedText", "model": "SmolLM2-135M", "pooling": "mean"},
    "SmolLM2 last": {"use": "PretrainedText", "model": "SmolLM2-135M", "pooling": "last"},
}


REAL = {"MiniLM": 50.0, "MultilingualText": 50.0, "SmolLM2 mean": 250.0}
"""What is trained and served too, and how many milliseconds a list with typed words may take."""


def plan(name: str, part: dict[str, Any]) -> Plan:
    def measure(seed: int, folder: Path, quick: bool) -> list[Row]:
        from germane import encoders
        from germane.component import build
        from germane.encoders import Encoder
        from germane.jobs.memory import peak_mb

        before = peak_mb()
        encoder = build(part, encoders, Encoder, "encoder")
        figures = speed(encoder, 64 if quick else 256)
        figures["memory_mb"] = peak_mb() - before
        if not quick:
            figures |= shelf(encoder, seed, folder)
        return [measured(name, figures)]

    return Plan(name, measure=measure, needs="Beauty", seeds=(0,), rehearsed=part["use"] == "HashedText")


def speed(encoder: Any, n: int) -> dict[str, float]:
    """Milliseconds for 1,000 texts of 16 words, from ``n`` of them, the best of three; the model is loaded before."""
    import numpy as np

    drawn = np.random.default_rng(0).choice(WORDS, (n, 16))
    texts = [" ".join(words) for words in drawn]
    encoder.encode(texts[:8])
    took = []
    for _ in range(3):
        began = time.perf_counter()
        encoder.encode(texts)
        took.append(time.perf_counter() - began)
    return {"ms_per_1000": min(took) * 1e6 / n, "width": encoder.width}


def shelf(encoder: Any, seed: int, folder: Path) -> dict[str, float]:
    """NDCG@10 and recall@10 of new items among new items, mean over users."""
    import numpy as np
    import torch

    from germane.config import Config
    from germane.encoders import VectorCache, Whitening, prompts

    config = Config.of(recipe("cold_items")(seed, folder), folder)
    dataset = config.dataset()
    split = config.split.divide(dataset)
    known = np.zeros(dataset.n_items, bool)
    known[dataset.item_codes[np.concatenate([split.train, split.validation])]] = True
    new = np.flatnonzero(~known)
    rows = np.random.default_rng(seed).permutation([row for row in split.test if not known[dataset.item_codes[row]]])[:USERS]
    pasts = {}
    for row in rows:
        line = dataset.timelines.rows(int(dataset.user_codes[row]))
        pasts[row] = dataset.item_codes[line[: list(line).index(row)]][::-1][:LAST]  # the newest first
    needed = np.unique(np.concatenate([new, *pasts.values()]))
    told = prompts(dataset.items, dataset.prompt, list(dataset.columns.text), dataset.separators)
    vectors = torch.zeros(dataset.n_items, encoder.width)
    vectors[torch.from_numpy(needed)] = VectorCache().cached(encoder)([told[item] for item in needed])
    seen = torch.from_numpy(np.intersect1d(needed, np.flatnonzero(known)))
    vectors = Whitening.fit(vectors[seen], min(AXES, encoder.width)).transform(vectors)
    gains, hits = [], []
    for row, past in pasts.items():
        taste = (vectors[torch.from_numpy(past.astype(np.int64))] * FADE ** torch.arange(len(past))[:, None]).sum(0)
        scores = vectors[torch.from_numpy(new)] @ taste
        scores[torch.from_numpy(np.isin(new, past))] = -torch.inf
        place = int((scores > scores[int(np.flatnonzero(new == dataset.item_codes[row])[0])]).sum())
        hits.append(float(place < 10))
        gains.append(1 / np.log2(place + 2) if place < 10 else 0.0)
    spread = 1.96 * float(np.std(gains)) / len(gains) ** 0.5
    return {"ndcg@10": float(np.mean(gains)), "recall@10": float(np.mean(hits)), "ndcg_error": spread, "users": len(gains), "texts": len(needed)}


def served(name: str, part: dict[str, Any]) -> Plan:
    def measure(seed: int, folder: Path, quick: bool) -> list[Row]:
        import numpy as np
        from _tables import as_files, fewer_users, opened

        from germane import Query, load
        from germane.config import Config
        from germane.jobs.memory import peak_mb
        from germane.jobs.run import train_run

        said = recipe("beauty", training={"epochs": 1 if quick else 3, "refit": False}, evaluation={"baselines": []})(seed, folder)
        dataset, _ = opened(said, folder)
        few = dataset.take(fewer_users(dataset, 10 if quick else SERVED))
        said |= {"data": as_files(few, folder, all_items=False), "text": part}
        began = time.perf_counter()
        run, judged = train_run(Config.of(said, folder), folder / "run")
        trained = time.perf_counter()
        ours = load(run)
        loaded = time.perf_counter()
        rng = np.random.default_rng(seed)
        users = [str(user) for user in rng.choice(few.users["id"].to_numpy(), ASKED + 1)]

        def took(words: bool) -> list[float]:
            each = []
            for user in users:
                query = Query(user=user, words=" ".join(rng.choice(WORDS, 6)) if words else None)
                begin = time.perf_counter()
                slate = ours.recommend(query, 10)
                each.append(time.perf_counter() - begin)
                assert slate.items
            return each

        plain, typed = took(words=False), took(words=True)
        figures = {"ms a list": float(np.median(plain[1:])) * 1000, "ms with words": float(np.median(typed[1:])) * 1000}
        figures |= {"s to load": loaded - trained, "s to first words": typed[0], "s to train": trained - began}
        return [measured(name, figures | {"served ndcg@10": judged.value("ndcg@10"), "MB": peak_mb()})]

    return Plan(f"{name}, trained and served", measure=measure, needs="Beauty", rehearsed=name == "MiniLM")


BENCHMARK = Benchmark(
    __file__,
    "Encoders of texts",
    plans=[*(plan(name, part) for name, part in ENCODERS.items()), *(served(name, ENCODERS[name]) for name in REAL)],
    metrics=(
        *("ndcg@10", "ndcg_error", "recall@10", "ms_per_1000", "memory_mb", "width"),
        *("served ndcg@10", "ms a list", "ms with words", "s to load", "s to first words", "s to train", "MB"),
    ),
    wanted=[
        Wanted("NDCG@10 of static vectors on the shelf of new items, over spelling", "StaticText", over={"plan": "HashedText"}, least=1.0),
        *(Wanted(f"{name}, ms a list with typed words", f"{name}, trained and served", "ms with words", most=limit) for name, limit in REAL.items()),
    ],
)

if __name__ == "__main__":
    BENCHMARK.main()
