from __future__ import annotations

import json

from germane.jobs.facts import Took
from germane.testing.model_contract import small_shop
from germane.training import Told, TrainingOptions


def test_what_a_training_took_is_told_and_who_listens_hears_all_of_it() -> None:
    took, heard, dataset = Took(), list[Told](), small_shop()
    watched = took.watching(heard.append)
    steps = [Told(1, n, 2, 0.5, {"ranking": 0.5}, 1e-3, 8.0, ended=n == 2) for n in (1, 2)]
    for told in steps:
        watched(told)
    took.watching(None)(steps[0])  # nobody listens
    assert heard == steps
    facts = took.facts(dataset, {"seconds": {"train": 1.5}, "epochs": 2, "curve": [{"epoch": 1}]}, TrainingOptions(device="cpu"), folder="shop")
    assert facts["data"] == {
        "fingerprint": dataset.fingerprint,
        "events": len(dataset),
        "users": dataset.n_users,
        "items": dataset.n_items,
        "from": facts["data"]["from"],
        "to": facts["data"]["to"],
        "folder": "shop",
    }
    assert facts["data"]["from"] <= facts["data"]["to"]
    assert {name: value for name, value in facts["seconds"].items() if name != "total"} == {"encode": None, "train": 1.5, "evaluate": None}
    assert (facts["epochs"], facts["curve"], facts["notes"], facts["processes"], facts["device"]) == (2, [{"epoch": 1}], None, 1, "cpu")
    assert facts["seconds"]["total"] > 0 and facts["peak_mb"] == facts["peak_mb_of_one"] > 0 and json.loads(json.dumps(facts)) == facts
