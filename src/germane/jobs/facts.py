"""What a training took, of what data and on which machine: for ``about.json``."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

from .. import times
from ..data import Dataset
from ..training import Processes, Progress, Told, TrainingOptions, choose_device, chosen_precision
from ..types import Note
from .energy import EnergyMeter
from .memory import peak_gpu_mb, peak_mb

__all__ = ["Took"]


class Took:
    """Time, memory and energy of a job, from when this was made."""

    def __init__(self) -> None:
        self.started, self.busy, self.meter = time.perf_counter(), time.process_time(), EnergyMeter()

    def watching(self, progress: Progress | None) -> Progress:
        """``progress`` as before; the meter looks at the end of each epoch too."""

        def heard(told: Told) -> None:
            if told.ended:
                self.meter.watch()
            if progress is not None:
                progress(told)

        return heard

    def facts(
        self,
        dataset: Dataset,
        told: Mapping[str, Any],
        options: TrainingOptions,
        *,
        folder: str | None = None,
        evaluate: float | None = None,
        notes: Sequence[Note] | None = None,
    ) -> dict[str, Any]:
        """``told``: what ``fit`` gave; ``evaluate``: seconds. None where it is not known. Of several processes all have to ask."""
        processes = Processes.joined(options.device)
        device = processes.device or choose_device(options.device)
        peaks, on_gpus = processes.each(peak_mb()), processes.each(peak_gpu_mb())
        return {
            "data": {
                "fingerprint": dataset.fingerprint,
                "events": len(dataset),
                "users": dataset.n_users,
                "items": dataset.n_items,
                "from": times.show(float(dataset.times.min())) if dataset.has_times else None,
                "to": times.show(float(dataset.times.max())) if dataset.has_times else None,
                "folder": folder,
            },
            "seconds": {"total": time.perf_counter() - self.started, "encode": None, "train": None, **told["seconds"], "evaluate": evaluate},
            "peak_mb": sum(peaks),
            "peak_mb_of_one": max(peaks),
            **({"peak_gpu_mb": max(on_gpus)} if device.type == "cuda" else {}),
            "epochs": told["epochs"],
            "curve": told["curve"],
            **({"ranker": told["ranker"].as_json()} if "ranker" in told else {}),
            "processes": processes.count,
            "device": device.type,
            "precision": chosen_precision(options.precision, device),
            "cpu_seconds": sum(processes.each(time.process_time() - self.busy)),
            "energy_wh": self.meter.wh(),
            "notes": [asdict(note) for note in notes] if notes is not None else None,
        }
