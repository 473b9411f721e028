"""What was typed, and what could have been: texts of items as phrases."""

from __future__ import annotations

import pytest

from germane.batches import own_phrases
from germane.data import Dataset
from germane.encoders import HashedText


@pytest.mark.parametrize("name", [" title", "title {en}", "{", "a.b"])
def test_a_text_column_may_be_called_anything(name: str) -> None:
    items = {"item": ["x", "y", "z"], name: ["Up", "Heat", None], "more": ["Heat", "a|b", "c"]}
    data = Dataset.from_frames({"user": ["a", "b"], "item": ["x", "y"]}, items, columns={"text": [name, "more"]})
    words, rows = own_phrases(data, HashedText(width=8).encode, 1)
    assert rows.tolist() == [[1, 2], [2, 3], [0, 4]] and len(words) == 4
