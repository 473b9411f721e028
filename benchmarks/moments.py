"""A generated world in which the moment decides, three seeds: how near the model comes to the best that can be expected.

    python benchmarks/moments.py            # some 6 minutes on two cores; goes on where it was stopped
    python benchmarks/moments.py --quick    # one seed, one epoch: shows that it runs, writes nothing

The config is the demo's. Writes benchmarks/results/moments.json.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from _seeds import run_seeds

from germane.config import Config
from germane.jobs.demo import WORLD, moments, written
from germane.worlds import MomentWorld

RESULT = Path(__file__).parent / "results" / "moments.json"


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--quick", action="store_true")
    world = MomentWorld(**WORLD)
    best: dict[str, Any] = {}

    def plan(seed: int, folder: Path) -> dict[str, Any]:
        sections = moments(world, written(world, folder / "world-tables"), seed)
        if not best:
            config = Config.of(sections, folder)
            held_out = config.dataset().take(config.split.divide(config.dataset()).test)
            best.update(with_context=world.best_ndcg(held_out), without_context=world.best_ndcg(held_out, know_context=False))
        return sections

    found = run_seeds(RESULT, {"world": plan}, quick=arguments.parse_args().quick, told={"best_possible": best})
    print("best possible:", {name: round(value, 4) for name, value in found["best_possible"].items()})


if __name__ == "__main__":
    main()
