from __future__ import annotations

import polars as pl

from germane.features import Categories, Numbers, Place, Time
from germane.testing import FeatureContract

NOON = 1_700_000_000.0


class TestTime(FeatureContract):
    feature = Time()
    frame = pl.DataFrame({"time": [NOON, NOON + 5e4, NOON + 4e7, None]})
    types = {"time": "time"}


class TestHours(FeatureContract):
    feature = Time(weekday=False, season=False)
    frame = pl.DataFrame({"time": [NOON, NOON + 5e4, None]})
    types = {"time": "time"}


class TestCategories(FeatureContract):
    feature = Categories()
    frame = pl.DataFrame({"weather": ["rain", "sun", "rain", None], "mood": [["calm", "glad"], ["glad"], [], None]})
    types = {"weather": "category", "mood": "categories"}


class TestNumbers(FeatureContract):
    feature = Numbers(clip=2)
    frame = pl.DataFrame({"degrees": [10.0, -3.5, 1e9, None], "crowd": [0.0, 0.0, 0.0, None]})
    types = {"degrees": "number", "crowd": "number"}


class TestPlace(FeatureContract):
    feature = Place(cells=(1.0,), min_count=1)
    frame = pl.DataFrame({"lat": [48.85, -33.9, 0.0, None], "lon": [2.35, 151.2, 180.0, None]})
    types = {"lat": "place", "lon": "place"}


class TestPointsAlone(FeatureContract):
    feature = Place(cells=())
    frame = pl.DataFrame({"lat": [48.85, 48.85, None], "lon": [2.35, 2.36, None]})
    types = {"lat": "place", "lon": "place"}
