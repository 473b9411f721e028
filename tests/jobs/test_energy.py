from __future__ import annotations

from pathlib import Path

import pytest

from germane.jobs.energy import EnergyMeter


def package(root: Path, name: str, microjoules: float, most: float = 1e12) -> Path:
    folder = root / name
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "energy_uj").write_text(f"{microjoules:.0f}\n")
    (folder / "max_energy_range_uj").write_text(f"{most:.0f}\n")
    return folder


def test_packages_are_added_up_and_their_parts_are_not(tmp_path: Path) -> None:
    for name, count in (("intel-rapl:0", 5e9), ("intel-rapl:1", 1e9), ("intel-rapl:0:0", 9e9), ("dtpm", 0)):
        package(tmp_path, name, count)
    meter = EnergyMeter(tmp_path, graphics=False)
    assert meter.wh() == 0
    for name, count in (("intel-rapl:0", 5e9 + 3.6e9), ("intel-rapl:1", 1e9 + 7.2e9), ("intel-rapl:0:0", 9e10)):
        package(tmp_path, name, count)
    assert meter.wh() == pytest.approx(3.0)
    assert meter.wh() == pytest.approx(3.0)


def test_the_platform_counts_only_where_no_package_does(tmp_path: Path) -> None:
    for zone, name in (("intel-rapl:0", "package-0"), ("intel-rapl:1", "psys")):
        (package(tmp_path / "both", zone, 0) / "name").write_text(f"{name}\n")
    (package(tmp_path / "platform", "intel-rapl:1", 0) / "name").write_text("psys\n")
    both, platform = (EnergyMeter(tmp_path / root, graphics=False) for root in ("both", "platform"))
    for root, zone, count in (("both", "intel-rapl:0", 3.6e9), ("both", "intel-rapl:1", 7.2e9), ("platform", "intel-rapl:1", 7.2e9)):
        package(tmp_path / root, zone, count)
    assert (both.wh(), platform.wh()) == (pytest.approx(1.0), pytest.approx(2.0))


def test_a_counter_may_start_anew(tmp_path: Path) -> None:
    package(tmp_path, "intel-rapl:0", 9e9, most=1e10)
    meter = EnergyMeter(tmp_path, graphics=False)
    package(tmp_path, "intel-rapl:0", 2.6e9, most=1e10)
    assert meter.wh() == pytest.approx(1.0)  # 1e9 to the end, 2.6e9 from the start


def test_what_cannot_be_read_is_not_guessed(tmp_path: Path) -> None:
    assert EnergyMeter(tmp_path, graphics=False).wh() is None
    (package(tmp_path, "intel-rapl:0", 1) / "energy_uj").write_text("secret")
    assert EnergyMeter(tmp_path, graphics=False).wh() is None
