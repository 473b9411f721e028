"""How much energy a job took, where the machine counts it."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from pathlib import Path

__all__ = ["WATTS", "EnergyMeter", "estimated_wh"]

POWERCAP = Path("/sys/class/powercap")
WH = 3.6e9
"""Microjoules in a watt-hour."""
WATTS = 10.0
"""What one busy core is taken to draw where nothing is counted: laptops draw less, older servers more."""


def estimated_wh(cpu_seconds: float, watts: float = WATTS) -> float:
    """Watt-hours of so many seconds of one busy core: to set runs of one machine side by side, not to be believed in itself.

    >>> estimated_wh(7200.0)
    20.0
    """
    return cpu_seconds * watts / 3600


class EnergyMeter:
    """Watt-hours of the whole machine's processors since it was made: other work beside the job is counted in.

    Reads the counters of Linux' powercap (RAPL: Intel, AMD), of each processor package, and of NVIDIA's graphics cards where the library
    ``pynvml`` is there. The platform's counter (``psys``), which holds the packages' too, is read only where these have none. Virtual machines
    mostly hide them, and some systems show them to root alone: then there is nothing to say, and nothing is guessed. A counter that starts anew more
    than once between two readings loses a turn; ``watch`` in between (a package at 100 W turns after some 40 minutes).

    >>> EnergyMeter(Path("no such folder"), graphics=False).wh() is None
    True
    """

    def __init__(self, root: Path = POWERCAP, graphics: bool = True) -> None:
        self.graphics = graphics
        zones = [path for path in sorted(root.glob("*-rapl:*")) if path.name.count(":") == 1]
        self.packages = [zone for zone in zones if _name(zone) != "psys"] or zones
        self.last = self._read()
        self.total = 0.0

    def watch(self) -> None:
        """Add up what was counted since the last look."""
        now = self._read()
        for name, count in now.items():
            before = self.last.get(name, count)
            self.total += count - before if count >= before else count + max(0.0, self._range(name) - before)
        self.last = now

    def wh(self) -> float | None:
        """None: no counter can be read."""
        if not self.last:
            return None
        self.watch()
        return round(self.total / WH, 4)

    def _read(self) -> Mapping[str, float]:
        """Microjoules by counter."""
        found: dict[str, float] = {}
        for package in self.packages:
            with contextlib.suppress(OSError, ValueError):
                found[str(package)] = float((package / "energy_uj").read_text())
        return {**found, **_cards()} if self.graphics else found

    def _range(self, name: str) -> float:
        try:
            return float((Path(name) / "max_energy_range_uj").read_text())
        except (OSError, ValueError):
            return 0.0


def _name(zone: Path) -> str:
    try:
        return (zone / "name").read_text().strip()
    except (OSError, ValueError):
        return ""


def _cards() -> dict[str, float]:
    try:
        import pynvml
    except ImportError:
        return {}
    try:
        pynvml.nvmlInit()
        cards = [pynvml.nvmlDeviceGetHandleByIndex(n) for n in range(pynvml.nvmlDeviceGetCount())]
        return {f"card {n}": 1000.0 * pynvml.nvmlDeviceGetTotalEnergyConsumption(card) for n, card in enumerate(cards)}
    except pynvml.NVMLError:
        return {}
