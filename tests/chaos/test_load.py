from __future__ import annotations

from tests.chaos.load import changed

DONE = {"state": "done", "result": {"minimum": -1.0}, "error": None, "finished": "t", "run": 1}


def test_a_job_that_is_as_it_was_has_not_changed() -> None:
    assert changed(DONE, {**DONE, "links": {}}) == ""


def test_another_answer_state_or_end_is_a_change() -> None:
    assert "result was" in changed(DONE, {**DONE, "result": {"minimum": -2.0}})
    assert "state was 'done', is 'running'" in changed(DONE, {**DONE, "state": "running"})
    assert "finished was" in changed(DONE, {**DONE, "finished": "later"})
