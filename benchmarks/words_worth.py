"""What typed words are worth: the same model where they are told, where they are not, and where each longer word has a typing error.

    GERMANE_DATA=... python benchmarks/words_worth.py
    python benchmarks/words_worth.py --quick    # a rehearsal

The generated world, with words typed at half of its events, and Last.fm tags (configs/lastfm.toml), three seeds each. "nothing typed" is the same
data without the column of words, in training and in the questions. "typos in words" asks the model that had learnt from right words.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from _claims import Wanted
from _harness import Benchmark
from _plans import Plan, recipe

SILENT = ", nothing typed"
SHARE = 0.5
"""Of the world's events at which something is typed."""


def world(words: bool) -> Callable[[int, Path], dict[str, Any]]:
    def sections(seed: int, folder: Path) -> dict[str, Any]:
        from _tables import as_files

        from germane.jobs.demo import WORLD, moments
        from germane.worlds import MomentWorld

        made = MomentWorld(**{**WORLD, "words": SHARE})
        said = moments(made, {}, seed)
        said["data"] = as_files(made.dataset(), folder, without=() if words else ("words",))
        return {**said, "evaluation": {**said["evaluation"], "baselines": [], "variants": ["typos in words"] if words else []}}

    return sections


def tags(words: bool) -> Callable[[int, Path], dict[str, Any]]:
    def sections(seed: int, folder: Path) -> dict[str, Any]:
        from _tables import as_files, opened

        said = recipe("lastfm")(seed, folder)
        if not words:
            said["data"] = as_files(opened(said, folder)[0], folder, without=("words",))
        return {**said, "evaluation": {**said["evaluation"], "baselines": [], "variants": ["typos in words"] if words else []}}

    return sections


BENCHMARK = Benchmark(
    __file__,
    "What typed words are worth",
    plans=[
        Plan(f"world{SILENT}", world(False)),
        Plan("world", world(True), against=f"world{SILENT}"),
        Plan(f"last.fm{SILENT}", tags(False), needs="LastFM"),
        Plan("last.fm", tags(True), needs="LastFM", against=f"last.fm{SILENT}"),
    ],
    wanted=[
        *(
            Wanted(f"{name}: NDCG@10 over that where nothing is typed", name, over={"plan": f"{name}{SILENT}"}, least=1.0, p_below=0.001)
            for name in ("world", "last.fm")
        ),
        *(
            Wanted(f"{name}: NDCG@10 with typing errors over that without", name, variant="typos in words", over={"variant": "as trained"}, least=0.8)
            for name in ("world", "last.fm")
        ),
    ],
)

if __name__ == "__main__":
    BENCHMARK.main()
