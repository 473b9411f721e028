"""What every feature must keep to."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence

import numpy as np
import polars as pl

from ..features.base import Encoded, Feature, FeatureSet

__all__ = ["FeatureContract"]


class FeatureContract:
    """Tests for a feature, brought by inheritance.

    class TestMine(FeatureContract):
        feature = Mine(cells=3)
        frame = pl.DataFrame({"street": ["a", None, "b"]})
        types = {"street": "category"}
    """

    feature: Feature
    frame: pl.DataFrame
    """Rows to fit on, some of them with missing values in every column."""
    types: Mapping[str, str]
    """Type of each column, as ``Dataset.types`` holds it."""
    separators: Mapping[str, str] = {}

    @property
    def names(self) -> Sequence[str]:
        return self.feature.columns(self.types)

    def fitted(self) -> Feature:
        part = type(self.feature).from_options(self.feature.settings())
        part.fit(self.frame, self.names, self.separators)
        return part

    def test_it_finds_its_columns_by_their_types(self) -> None:
        assert self.names and set(self.names) <= set(self.frame.columns)
        assert not self.feature.columns(dict.fromkeys(self.types, "no such type"))

    def test_shape_and_type(self) -> None:
        part = self.fitted()
        encoded = part.encode(self.frame)
        assert encoded.codes.shape == (self.frame.height, part.shape[0]) and encoded.dense.shape == (self.frame.height, part.shape[1])
        assert encoded.codes.dtype == np.int64 and encoded.dense.dtype == np.float32
        assert sum(part.shape) > 0

    def test_codes_are_within_the_size_and_numbers_are_finite(self) -> None:
        part = self.fitted()
        encoded = part.encode(self.frame)
        assert encoded.codes.size == 0 or (encoded.codes.min() >= 0 and encoded.codes.max() <= part.size)
        assert np.isfinite(encoded.dense).all()

    def test_something_is_told_apart(self) -> None:
        encoded = self.fitted().encode(self.frame)
        assert len(np.unique(np.concatenate([encoded.codes, encoded.dense], axis=1), axis=0)) > 1

    def test_missing_values_and_missing_columns_are_zero(self) -> None:
        part = self.fitted()
        empty = self.frame.select(pl.lit(None, dtype=kind).alias(name) for name, kind in self.frame.schema.items())
        for frame in (empty, pl.DataFrame({"other": [1, 2]})):
            encoded = part.encode(frame)
            assert len(encoded.codes) == frame.height and not encoded.codes.any() and not encoded.dense.any()

    def test_no_rows(self) -> None:
        part = self.fitted()
        encoded = part.encode(self.frame.clear())
        assert encoded.codes.shape == (0, part.shape[0]) and encoded.dense.shape == (0, part.shape[1])

    def test_batch_equals_one_by_one_in_any_order(self) -> None:
        part = self.fitted()
        whole = part.encode(self.frame)
        single = [part.encode(self.frame[row]) for row in range(self.frame.height)]
        _same(whole, Encoded(np.concatenate([e.codes for e in single]), np.concatenate([e.dense for e in single])))
        backwards = part.encode(self.frame.reverse())
        _same(whole, Encoded(backwards.codes[::-1], backwards.dense[::-1]))

    def test_the_order_of_columns_does_not_matter(self) -> None:
        part = self.fitted()
        _same(part.encode(self.frame), part.encode(self.frame.select(reversed(self.frame.columns))))

    def test_does_not_change_its_input(self) -> None:
        before = self.frame.clone()
        self.fitted().encode(self.frame)
        assert self.frame.equals(before)

    def test_vocabulary_survives_saving(self) -> None:
        features = FeatureSet([self.fitted()])
        learnt = json.loads(json.dumps(self.fitted().vocabulary()))
        part = type(self.feature).from_options(json.loads(json.dumps(self.feature.settings())))
        part.load_vocabulary(learnt)
        assert part.size == features.parts[0].size and part.shape == features.parts[0].shape and part.known() == features.parts[0].known()
        _same(part.encode(self.frame), features.parts[0].encode(self.frame))

    def test_people_are_told_every_column(self) -> None:
        known = self.fitted().known()
        assert set(known) == set(self.names)
        assert all(facts["type"] and ("values" in facts or {"low", "high"} <= facts.keys()) for facts in known.values())
        json.dumps(known)

    def test_values_that_training_saw_are_known(self) -> None:
        part = self.fitted()
        for name in self.names:
            assert not any(part.unknown(name, value) for value in self.frame[name].to_list() if value is not None)


def _same(one: Encoded, other: Encoded) -> None:
    np.testing.assert_array_equal(one.codes, other.codes)
    np.testing.assert_allclose(one.dense, other.dense, rtol=0, atol=1e-6)
