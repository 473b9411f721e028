from __future__ import annotations

from functools import partial
from itertools import count

import pytest

from germane.jobs import progress
from germane.jobs.pace import Pace
from germane.jobs.progress import training_bar
from germane.jobs.show import doing
from germane.training import Told


def test_the_bar_tells_speed_loss_validation_and_what_is_left(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "140")
    with training_bar(False) as show:
        assert show is not None
        for step in (1, 2, 3):
            show(Told(1, step, 3, 0.5, {}, 0.1, 8.0, ahead=1, part="refit"))
        show(Told(1, 3, 3, 0.4, {}, 0.1, 24.0, figure=0.1234, ended=True, ahead=1, part="refit"))
    said = capsys.readouterr().err
    assert "epoch 1 refit" in said and "loss 0.400" in said and "validation 0.1234" in said and "≤ 0:00 left" in said and "events/s" in said


@pytest.mark.parametrize(("what", "part", "speed"), [("", "", True), ("the winner", "refit", False)])
def test_a_line_fits_into_eighty_columns(
    what: str, part: str, speed: bool, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing of it is cut off; what has more to say leaves the speed out."""
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.setattr(progress, "Pace", partial(Pace, count(0.0, 0.001).__next__))
    with training_bar(False, what) as show:
        assert show is not None
        for step in (1, 2, 3):
            show(Told(18, step, 3, 0.5, {}, 0.1, 8.0, ahead=1, part=part))
        show(Told(18, 3, 3, 3.4, {}, 0.1, 24.0, figure=0.1234, ended=True, ahead=1, part=part))
    said = capsys.readouterr().err
    assert "…" not in said and "left" in said and "validation 0.1234" in said and ("events/s" in said) == speed


def test_the_speed_is_of_what_is_learnt_from(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "140")
    with training_bar(False, of="examples") as show:
        assert show is not None
        for step in (1, 2, 3):
            show(Told(1, step, 3, 0.5, {}, 0.1, 32.0))
    said = capsys.readouterr().err
    assert "examples/s" in said and "events/s" not in said


def test_quiet_is_quiet(capsys: pytest.CaptureFixture[str]) -> None:
    with training_bar(True) as show:
        assert show is None
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize(("terminal", "quiet", "said"), [("1", False, True), ("1", True, False), ("0", False, False)])
def test_what_is_done_now_is_told_to_who_looks(
    terminal: str, quiet: bool, said: bool, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TTY_COMPATIBLE", terminal)
    with doing(quiet) as told:
        told("reading [the] data")
    assert ("reading [the] data …" in capsys.readouterr().err) == said
