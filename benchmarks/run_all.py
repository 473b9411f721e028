"""Every benchmark, one after the other, and the page of what came out.

    python benchmarks/run_all.py            # rehearsals: small sizes, one seed, minutes in all; writes BENCHMARKS.quick.md
    python benchmarks/run_all.py --full     # what is missing of the full results: many hours; writes BENCHMARKS.md and its plots
    python benchmarks/run_all.py --peers    # peers too, in environments of their own

`make bench` is the first, `make bench BENCH_ARGS=--full` the second. What is wanted of a script is no condition here: it is reported.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import time
from pathlib import Path

from report import CLAIMS, TUNING

HERE = Path(__file__).parent


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--full", action="store_true")
    parser.add_argument("--peers", action="store_true")
    said = parser.parse_args()
    quick = [] if said.full else ["--quick"]
    failed = []
    for name in (*CLAIMS, *TUNING):
        began = time.perf_counter()
        peers = ["--peers"] * (said.peers and name in CLAIMS)
        done = subprocess.run([sys.executable, str(HERE / f"{name}.py"), *quick, *peers], check=False)
        print(f"{name}: {time.perf_counter() - began:.0f} s\n", flush=True)
        failed += [name] * bool(done.returncode)
    done = subprocess.run([sys.executable, str(HERE / "report.py"), *quick], check=False)
    if failed or done.returncode:
        sys.exit(f"Failed: {', '.join([*failed, *['report'] * bool(done.returncode)])}.")


if __name__ == "__main__":
    main()
