from __future__ import annotations

import hashlib
import math

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from gridwell.engine.errors import InvalidJob, InvalidMessage, OtherVersion
from gridwell.engine.limits import MAX_TASKS
from gridwell.kinds.sleep.spec import MAX_SECONDS, MAX_TOTAL_SECONDS, SleepSpec, work_of

seconds = st.floats(0, MAX_SECONDS)
counts = st.integers(1, MAX_TASKS)


@given(seconds, counts)
def test_spec_survives_being_stored(each: float, count: int) -> None:
    assume(each * count <= MAX_TOTAL_SECONDS)
    spec = SleepSpec(seconds=each, count=count)
    data = spec.encode()

    assert SleepSpec.decode(data, sha=hashlib.sha256(data).hexdigest()) == spec


def test_equal_requests_are_one_spec() -> None:
    assert (
        work_of(SleepSpec(seconds=1, count=3)).sha == work_of(SleepSpec(seconds=1.0, count=3)).sha
    )


@pytest.mark.parametrize("each", [-1.0, math.nan, math.inf, MAX_SECONDS + 1])
@pytest.mark.parametrize("count", [0, -1, MAX_TASKS + 1])
def test_faults_are_listed_together(each: float, count: int) -> None:
    with pytest.raises(InvalidJob) as refused:
        SleepSpec(seconds=each, count=count)

    assert [fault.pointer for fault in refused.value.faults] == ["/seconds", "/count"]


@given(seconds, counts)
def test_too_long_a_job_is_refused_with_the_count_that_is_accepted(each: float, count: int) -> None:
    assume(each * count > MAX_TOTAL_SECONDS)
    with pytest.raises(InvalidJob) as refused:
        SleepSpec(seconds=each, count=count)

    remedy = int(refused.value.faults[0].detail.rsplit(" ", 1)[1].replace(",", ""))
    assert SleepSpec(seconds=each, count=remedy).count == remedy < count


def test_damaged_spec_is_refused() -> None:
    data = SleepSpec(seconds=1, count=2).encode()
    with pytest.raises(InvalidMessage, match="is damaged"):
        SleepSpec.decode(data.replace(b"2", b"3"), sha=hashlib.sha256(data).hexdigest())


def test_spec_of_another_release_is_left_to_it() -> None:
    data = SleepSpec(seconds=1, count=2).encode().replace(b'"version":1', b'"version":9')
    with pytest.raises(OtherVersion):
        SleepSpec.decode(data, sha=hashlib.sha256(data).hexdigest())
