from __future__ import annotations

import json

import numpy as np
import polars as pl
import pytest

from germane.features import Categories, FeatureSet, Numbers, Place, Time

FRAME = pl.DataFrame(
    {
        "time": [1_700_000_000.0, 1_700_050_000.0, None],
        "weather": ["rain", "sun", None],
        "mood": [["calm", "glad"], ["glad"], None],
        "degrees": [10.0, None, 30.0],
        "lat": [48.85, 48.85, None],
        "lon": [2.35, 2.35, 2.0],
    }
)
TYPES = {"time": "time", "weather": "category", "mood": "categories", "degrees": "number", "lat": "place", "lon": "place"}


def fitted() -> FeatureSet:
    return FeatureSet.fit([Time(), Categories(), Numbers(), Place()], FRAME, TYPES)


def test_codes_share_one_table_without_clashes() -> None:
    features = fitted()
    codes = features.encode(FRAME).codes.numpy()
    assert codes.max() < features.n_codes and codes.shape[1] == features.shape[0]
    columns = [set(column[column > 0]) for column in codes.T]
    weather, moods = columns[2], columns[3] | columns[4]
    assert not weather & moods and not (columns[0] & columns[1])


def test_missing_is_zero_and_not_the_mean() -> None:
    features = fitted()
    nothing = features.encode(pl.DataFrame({"": [None]}))
    assert not nothing.codes.any() and not nothing.dense.any()
    numbers = Numbers()
    numbers.fit(pl.DataFrame({"x": [0.0, 2.0]}), ["x"], {})
    assert numbers.encode(pl.DataFrame({"x": [1.0, None]})).dense.tolist() == [[0.0, 1.0], [0.0, 0.0]]


def test_unseen_values_count_as_missing() -> None:
    features = fitted()
    row = FRAME[:1].with_columns(weather=pl.lit("hail"))
    assert features.unknown("weather", "hail") and not features.unknown("weather", "rain")
    assert features.encode(row).codes[0, 2] == 0


def test_vocabulary_gives_the_set_back() -> None:
    features = fitted()
    back = FeatureSet.from_vocabulary(json.loads(json.dumps(features.vocabulary())))
    first, second = features.encode(FRAME), back.encode(FRAME)
    assert (first.codes == second.codes).all() and (first.dense == second.dense).all()
    assert back.names == features.names and back.n_codes == features.n_codes


def test_midnight_is_near_eleven() -> None:
    when = Time(weekday=False, season=False)
    frame = pl.DataFrame({"time": [0.0, 23 * 3600.0, 12 * 3600.0]})
    when.fit(frame, ["time"], {})
    dense = when.encode(frame).dense
    assert np.linalg.norm(dense[0] - dense[1]) < np.linalg.norm(dense[0] - dense[2])


def test_the_date_line_is_no_seam() -> None:
    place = Place(cells=())
    frame = pl.DataFrame({"lat": [0.0, 0.0, 0.0], "lon": [179.9, -179.9, 0.0]})
    place.fit(frame, ["lat", "lon"], {})
    dense = place.encode(frame).dense
    assert np.linalg.norm(dense[0] - dense[1]) < 0.01 < np.linalg.norm(dense[0] - dense[2])


def test_constant_and_empty_columns_do_no_harm() -> None:
    numbers = Numbers()
    numbers.fit(pl.DataFrame({"x": [3.0, 3.0], "y": pl.Series([None, None], dtype=pl.Float64)}), ["x", "y"], {})
    assert np.isfinite(numbers.encode(pl.DataFrame({"x": [3.0], "y": [None]})).dense).all()


@pytest.mark.filterwarnings("error")
def test_huge_numbers_keep_a_scale() -> None:
    numbers = Numbers()
    numbers.fit(pl.DataFrame({"x": [1.0, -3e300, 3e300], "y": [1e-3, 2e-3, 3e-3]}), ["x", "y"], {})
    assert all(np.isfinite(figure) for scale in numbers.scales.values() for figure in scale.values())
    dense = numbers.encode(pl.DataFrame({"x": [3e300, 1.7e308, -1.7e308], "y": [1e308, -1e308, 2e-3]})).dense
    assert dense[:, 0].tolist() == pytest.approx([1.2247449, 5.0, -5.0]) and dense[:, 2].tolist() == pytest.approx([5.0, -5.0, 0.0])


def test_known_tells_people() -> None:
    known = fitted().known()
    assert known["weather"]["values"][0]["count"] == 1 and known["degrees"] == {"type": "number", "low": 10.0, "high": 30.0}


@pytest.mark.parametrize("several", [False, True])
def test_few_rows_and_many_are_coded_alike(several: bool) -> None:
    """A request is looked up value by value, a table in one sweep."""
    rng = np.random.default_rng(0)
    values = [None, "rain", "sun", "wind", "never seen"]
    cells = [
        [values[int(n)] for n in rng.integers(0, 5, int(rng.integers(0, 4)))] if several else values[int(rng.integers(0, 5))] for _ in range(2000)
    ]
    dtype = pl.List(pl.String) if several else pl.String
    frame = pl.DataFrame({"sky": pl.Series("sky", cells, dtype=dtype), "sea": pl.Series("sea", ["calm", None] * 1000)})
    part = Categories()
    part.fit(frame.filter(pl.col("sky").cast(pl.String) != "never seen") if not several else frame, ["sky", "sea"], {})
    whole = part.encode(frame).codes
    few = np.concatenate([part.encode(frame[begin : begin + 100]).codes for begin in range(0, 2000, 100)])
    np.testing.assert_array_equal(whole, few)
    assert whole.max() > 3


@pytest.mark.parametrize("name", ["count", "value", "proportion"])
def test_a_column_may_have_any_name(name: str) -> None:
    features = FeatureSet.fit([Categories()], pl.DataFrame({name: ["rain", "sun", "rain"]}), {name: "category"})
    assert features.encode(pl.DataFrame({name: ["sun", "rain", "hail"]})).codes[:, 0].tolist() == [2, 1, 0]
