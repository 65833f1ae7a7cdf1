import io

import pytest

from training import progress
from training.progress import LineProgress


def test_where_nobody_watches_a_terminal_a_step_is_two_lines():
    out = io.StringIO()
    with LineProgress(out).step("reading", 10) as step:
        step.advance(10)
    first, last = out.getvalue().splitlines()
    assert first == "reading …"
    assert last.startswith("reading: done in ")


def test_a_long_step_tells_how_much_is_left(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(progress, "SECONDS_BETWEEN_LINES", 0.0)
    out = io.StringIO()
    with LineProgress(out).step("reading", 4) as step:
        step.advance()
    assert "reading: 1 of 4, " in out.getvalue()
    assert "s left" in out.getvalue()


def test_a_step_that_fails_does_not_claim_to_be_done():
    out = io.StringIO()
    with pytest.raises(ValueError, match="broken"), LineProgress(out).step("reading"):
        raise ValueError("broken")
    assert "done" not in out.getvalue()
