from __future__ import annotations

import numpy as np
import pytest
import torch

from germane.models.memory import memory


def test_memory_knows_this_very_item() -> None:
    history, ages = torch.tensor([[3, 5, 3], [-1, -1, 7]]), torch.tensor([[172_800.0, 10.0, 86_400.0], [0.0, 0.0, 0.0]])
    told = memory(history[:, None], ages[:, None], torch.tensor([[3, 9], [7, 3]]))
    assert told[0, 0].tolist() == pytest.approx([np.log(3), 0.5, 1]) and told[0, 1].tolist() == [0, 0, 0]
    assert told[1, 0].tolist() == pytest.approx([np.log(2), 1, 1]) and told[1, 1].tolist() == [0, 0, 0]
    assert memory(history[0], ages[0], torch.tensor([5, 3])).tolist()[0] == pytest.approx([np.log(2), 1, 0.5], abs=2e-4)  # shared by all items
