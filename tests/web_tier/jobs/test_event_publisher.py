"""Publishing never delays nor fails a job."""

from __future__ import annotations

import json
import threading
from dataclasses import replace
from typing import TYPE_CHECKING

from gridwell.adapters.memory import ManualClock, MemoryQueue, MemoryTopic
from gridwell.engine.errors import ServiceBusy
from gridwell.engine.job import JobState
from gridwell.engine.job_events import EventKind, JobEvent
from gridwell.kinds.grid.job_view import grid_view
from gridwell.kinds.registry import KINDS
from tests.harness.builders import NOW, a_job, a_problem
from tests.harness.web import World
from tests.harness.web_http import SMALL, Site
from web_tier.jobs.event_publisher import Publisher

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pytest

    from gridwell.engine.job_events import Notice

JOB = a_job(a_problem())
PROGRESS = JobEvent(kind=EventKind.PROGRESS, job=JOB, at=NOW)


class Recorder:
    """A topic that keeps what it is given, or refuses it."""

    def __init__(self, error: Exception | None = None) -> None:
        self.notices: list[Notice] = []
        self.error = error

    def publish(self, notices: Sequence[Notice]) -> None:
        if self.error is not None:
            raise self.error
        self.notices += notices

    @property
    def kinds(self) -> list[str]:
        return [dict(notice.attributes)["event"] for notice in self.notices]


def test_progress_is_published_once_a_second_and_a_job() -> None:
    topic, clock = Recorder(), ManualClock()
    publisher = Publisher(topic, clock=clock)
    other = replace(PROGRESS, job=replace(JOB, id="f" * 32))
    for event in (PROGRESS, PROGRESS, other, replace(PROGRESS, kind=EventKind.DONE)):
        publisher.tell(event)
    clock.advance(1.0)
    publisher.tell(PROGRESS)
    publisher.close()

    assert sorted(topic.kinds) == ["done", "progress", "progress", "progress"]


def test_a_topic_that_is_away_costs_only_events(caplog: pytest.LogCaptureFixture) -> None:
    publisher = Publisher(Recorder(ServiceBusy("throttled")), clock=ManualClock())
    for _ in range(5):
        publisher.tell(JobEvent(kind=EventKind.ACCEPTED, job=JOB, at=NOW))
    publisher.close()

    assert publisher.dropped == 5
    (record,) = [each for each in caplog.records if "dropped" in each.getMessage()]
    assert "throttled" in record.getMessage()


def test_a_topic_that_hangs_holds_nobody_up() -> None:
    free = threading.Event()

    class Hanging(Recorder):
        def publish(self, notices: Sequence[Notice]) -> None:
            free.wait(60)
            super().publish(notices)

    topic = Hanging()
    publisher = Publisher(topic, clock=ManualClock(), most=3)
    for _ in range(50):
        publisher.tell(JobEvent(kind=EventKind.ACCEPTED, job=JOB, at=NOW))
    dropped = publisher.dropped
    free.set()
    publisher.close()

    assert 50 - 3 - 10 <= dropped <= 47  # what its thread took in one batch beside what waits
    assert len(topic.notices) == 50 - dropped


def test_a_mistake_of_ours_does_not_end_the_thread() -> None:
    topic = Recorder(ValueError("unforeseen"))
    publisher = Publisher(topic, clock=ManualClock())
    publisher.tell(JobEvent(kind=EventKind.ACCEPTED, job=JOB, at=NOW))
    while publisher.dropped == 0:
        pass
    topic.error = None
    publisher.tell(JobEvent(kind=EventKind.DONE, job=JOB, at=NOW))
    publisher.close()

    assert topic.kinds == ["done"]


def test_without_a_topic_nothing_is_kept() -> None:
    publisher = Publisher(None, clock=ManualClock(), most=1)
    for _ in range(3):
        publisher.tell(PROGRESS)

    assert publisher.dropped == 0


def test_a_jobs_life_is_told_from_its_acceptance_to_its_end() -> None:
    told: list[JobEvent] = []
    site = Site(tell=told.append)
    other = {"grid_size": 5, "atom_count": 3}
    site.post(other)
    again = site.post(other)
    problem = a_problem()
    job = site.world.submit(problem, chunks=4)
    for chunk in range(4):
        site.world.answer(job, problem, [chunk])
        site.world.collector(tell=told.append).step()

    kinds = [event.kind.value for event in told]
    assert kinds == ["accepted", "progress", "progress", "progress", "done"]
    assert again.status_code == 202  # it joined the job: nothing new happened


def test_a_known_answer_is_accepted_and_done_at_once_and_a_cancelled_job_says_so() -> None:
    told: list[JobEvent] = []
    world = World()
    before = Site()
    before.done()
    world.store = before.world.store
    site = Site(world=world, tell=told.append)

    known = site.post(SMALL)
    job = site.stored(site.post({"grid_size": 5, "atom_count": 3}))
    site.client.delete(f"/v1/jobs/{job.id}")
    site.client.delete(f"/v1/jobs/{job.id}")

    assert known.status_code == 200
    kinds = [event.kind.value for event in told]
    assert kinds == ["accepted", "done", "accepted", "cancelled"]
    assert told[-1].job.state is JobState.CANCELLED


def test_an_event_tells_what_its_subscriber_needs_to_act() -> None:
    site = Site()
    job = site.done()

    topic = Recorder()
    publisher = Publisher(topic, clock=ManualClock(), kinds=KINDS)
    publisher.tell(JobEvent.of_end(job, at=NOW))
    publisher.close()

    (notice,) = topic.notices
    body = json.loads(notice.body)
    assert dict(notice.attributes) == {"job": job.id, "event": "done", "client": "public"}
    least = grid_view(job).result
    assert least is not None
    assert body["result"]["minimum"] == least.value
    assert (body["points_done"], body["points_total"]) == (64, 64)


def test_a_subscriber_hears_only_of_the_job_it_asked_for() -> None:
    clock = ManualClock()
    topic, mine, all_ = MemoryTopic(), MemoryQueue(clock), MemoryQueue(clock)
    topic.subscribe(mine, {"job": [JOB.id]})
    topic.subscribe(all_)
    publisher = Publisher(topic, clock=clock)
    for job in (JOB, replace(JOB, id="f" * 32)):
        publisher.tell(JobEvent(kind=EventKind.ACCEPTED, job=job, at=NOW))
    publisher.close()

    assert (mine.depth().visible, all_.depth().visible) == (1, 2)
