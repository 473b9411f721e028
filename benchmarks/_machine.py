"""What a figure was measured on. No names of hosts or people."""

from __future__ import annotations

import os
import platform
import subprocess
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

PACKAGES = ("germane", "torch", "numpy", "polars", "transformers")


def machine() -> dict[str, Any]:
    """Processor, how many of its cores may be used, memory, system; the GPU where there is one."""
    import torch

    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    gpu = {"gpu": torch.cuda.get_device_name()} if torch.cuda.is_available() else {}
    said = {"cpu": _cpu(), "cores": cores, "threads": torch.get_num_threads(), "memory_gb": _memory(), "system": platform.system(), **gpu}
    return {**said, "arch": platform.machine(), "python": platform.python_version()}


def versions(packages: tuple[str, ...] = PACKAGES) -> dict[str, str]:
    """Of what it was made with, the commit of this tree among them; ``+`` behind it where files differ from the commit."""
    found = {}
    for name in packages:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    commit = _git("rev-parse", "--short=12", "HEAD")
    return found | ({"commit": commit + "+" * bool(_git("status", "--porcelain", "--", "src", "configs", "benchmarks/*.py"))} if commit else {})


def _cpu() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        return next(line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    except (OSError, StopIteration):
        return platform.processor() or platform.machine()


def _memory() -> int | None:
    try:
        return round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30)
    except (AttributeError, ValueError, OSError):
        return None


def _git(*words: str) -> str:
    try:
        done = subprocess.run(["git", *words], cwd=Path(__file__).parent.parent, capture_output=True, text=True, check=False)
    except OSError:
        return ""
    return done.stdout.strip() if done.returncode == 0 else ""
