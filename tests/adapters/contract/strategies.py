"""What Hypothesis draws for the ledgers: jobs with every field filled or empty."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import strategies as st

from gridwell.engine.blocks import TaskCounts
from gridwell.engine.job import Job, JobError, JobState
from gridwell.engine.register import Best
from gridwell.kinds.grid.minimum import Minimum
from gridwell.kinds.grid.names import MAP_KIND, MINIMUM_KIND, SERIES_KIND
from tests.harness.builders import a_job
from tests.kinds.grid.strategies import minima, problems, series

#: From 1970 on, to the microsecond at its start and to the float's own grain later.
times = st.one_of(st.integers(0, 2**33).map(float), st.floats(1e-6, 2**33))
words = st.text(min_size=1, max_size=12)
errors = st.builds(JobError, words, words, st.booleans())
keys = minima.map(Minimum.key)


def registers(
    payload: tuple[str, ...], workers: st.SearchStrategy[str | None]
) -> st.SearchStrategy[Best]:
    """Registers with that payload."""
    return st.builds(Best, keys, st.just(payload), workers)


#: What a kind may keep in its jobs: any object of JSON.
details = st.dictionaries(
    st.text(max_size=8),
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False),
    max_size=4,
)
counts = st.builds(
    TaskCounts,
    total=st.integers(1, 10**6),
    done=st.integers(0, 10**6),
    failed=st.integers(0, 10**6),
    cancelled=st.integers(0, 10**6),
)


@st.composite
def stored_jobs(draw: st.DrawFn) -> Job:
    """Jobs as a ledger may hold them, in every state."""
    payload = tuple(draw(st.lists(keys, max_size=3)))
    job = a_job(
        draw(problems),
        chunks=draw(st.integers(1, 12)),
        client=draw(words),
        seed=draw(st.none() | st.integers(0, 2**53 - 1)),
        series=draw(st.none() | series),
    )
    return replace(
        job,
        kind=draw(st.sampled_from([MINIMUM_KIND, MAP_KIND, SERIES_KIND])),
        detail=draw(st.just(job.detail) | details),
        plan=draw(st.just(job.plan) | words),
        state=draw(st.sampled_from(JobState)),
        run=draw(st.integers(1, 9)),
        created=draw(times),
        deadline=draw(times),
        done=draw(st.frozensets(st.integers(0, job.tasks - 1))),
        best=draw(st.none() | registers(payload, st.none() | words)),
        workers=draw(st.frozensets(words, max_size=3)),
        credits=draw(st.frozensets(st.integers(0, 2**24 - 1), max_size=5)),
        refusals=draw(st.integers(0, 2)),
        sent_at=draw(st.none() | times),
        resend_at=draw(st.none() | times),
        resends=draw(st.integers(0, 5)),
        moved=draw(st.none() | times),
        result=draw(st.none() | registers(payload, st.none())),
        error=draw(st.none() | errors),
        finished=draw(st.none() | times),
        expires=draw(st.none() | times),
        block=draw(st.sampled_from([None, 0, 5, 1000])),
        full=draw(st.frozensets(st.integers(0, 999), max_size=4)),
        failed=draw(st.frozensets(st.integers(0, 255), max_size=4)),
        counts=draw(st.none() | counts),
    )
