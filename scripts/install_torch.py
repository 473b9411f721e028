"""Install torch into this environment without the CUDA libraries, where that can be had.

On Linux x86-64 the public wheel is the CUDA build: several GB. A CPU wheel is taken from a folder that pip already searches
(``find-links``), else from PyTorch's CPU index; where neither answers, the size is said and pip is left to fetch what it finds.
"""

from __future__ import annotations

import importlib.metadata
import platform
import re
import subprocess
import sys
from pathlib import Path
from urllib.parse import unquote, urlparse

CPU_INDEX = "https://download.pytorch.org/whl/cpu"


def pip(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-m", "pip", *arguments], capture_output=True, text=True, check=False)


def pinned(constraints: Path) -> str:
    found = re.search(r"^torch==(\S+)", constraints.read_text(encoding="utf-8"), flags=re.MULTILINE)
    if found is None:
        sys.exit(f"{constraints} holds no line torch==VERSION: add one.")
    return found.group(1)


def local_folders() -> list[Path]:
    """The folders of pip's find-links, from its files and the environment."""
    lines = [line for line in pip("config", "list").stdout.splitlines() if "find-links" in line.partition("=")[0]]
    places = " ".join(line.partition("=")[2].strip().strip("'\"") for line in lines).replace("\\n", " ").split()
    paths = [
        Path(unquote(urlparse(place).path)) if place.startswith("file:") else Path(place)
        for place in places
        if "://" not in place or place.startswith("file:")
    ]
    return [path for path in dict.fromkeys(paths) if path.is_dir()]


def local_wheel(version: str) -> Path | None:
    tag = f"cp{sys.version_info.major}{sys.version_info.minor}"
    wheels = [wheel for folder in local_folders() for wheel in sorted(folder.glob(f"torch-{version}+cpu-{tag}-{tag}-*{platform.machine()}.whl"))]
    return wheels[0] if wheels else None


def installed() -> str | None:
    try:
        return importlib.metadata.version("torch")
    except importlib.metadata.PackageNotFoundError:
        return None


def main(constraints: Path) -> None:
    version, present = pinned(constraints), installed()
    if present is not None and present.partition("+")[0] == version:
        return
    if (sys.platform, platform.machine()) != ("linux", "x86_64"):
        return  # the public wheel is the CPU build already
    wheel = local_wheel(version)
    if wheel is not None and pip("install", "--quiet", "--no-deps", str(wheel)).returncode == 0:
        print(f"torch {version}: CPU build from {wheel.parent}.")
        return
    print(f"torch {version}: asking PyTorch's index for the CPU build (about 200 MB).")
    if pip("install", "--quiet", "--no-deps", "--timeout", "10", "--retries", "0", "--index-url", CPU_INDEX, f"torch=={version}").returncode != 0:
        print(f"torch {version}: no CPU build could be reached, so pip takes the public one; with CUDA that is several GB.")


if __name__ == "__main__":
    main(Path(sys.argv[1] if len(sys.argv) > 1 else "constraints.txt"))
