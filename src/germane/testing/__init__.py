"""Contracts that every part inherits, shipped so that parts of your own can be held to them too."""

from __future__ import annotations

import pytest

# Before they are imported: so that a failing assert of a contract shows its values, as one in a test does.
pytest.register_assert_rewrite(*(f"{__name__}.{kind}_contract" for kind in ("encoder", "feature", "model", "policy", "ranker")))

from .encoder_contract import EncoderContract  # noqa: E402
from .feature_contract import FeatureContract  # noqa: E402
from .model_contract import ModelContract  # noqa: E402
from .policy_contract import PolicyContract  # noqa: E402
from .ranker_contract import RankerContract  # noqa: E402

__all__ = ["EncoderContract", "FeatureContract", "ModelContract", "PolicyContract", "RankerContract"]
