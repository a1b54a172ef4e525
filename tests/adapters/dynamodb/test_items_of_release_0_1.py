"""Jobs that release 0.1 stored are read as they were, and the new form of an item keeps theirs."""

from __future__ import annotations

import base64
import json
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from gridwell.adapters.dynamodb.job_items import decode_job, encode_job
from gridwell.adapters.dynamodb.job_ledger import DynamoJobLedger
from gridwell.engine.job import JobState
from gridwell.engine.register import Best
from gridwell.kinds.grid.job_view import grid_view
from tests.harness.builders import NOW, OTHER_ATTEMPT

if TYPE_CHECKING:
    from gridwell.engine.job import Job
    from tests.adapters.conftest import Aws

#: Items as release 0.1 wrote them, with what its code read from them.
SAMPLES = json.loads((Path(__file__).parents[2] / "engine" / "samples" / "items.json").read_text())
#: Attributes that only the first release has, or that it filled in another way.
OLD = {"grid", "options", "atom_count", "seed", "series", "plan", "kind", "error"}

samples = pytest.mark.parametrize("sample", SAMPLES.values(), ids=list(SAMPLES))


def item_of(sample: dict[str, Any]) -> dict[str, Any]:
    def restored(value: Any) -> Any:
        if isinstance(value, dict):
            if "__bytes__" in value:
                return base64.b64decode(value["__bytes__"])
            return {name: restored(each) for name, each in value.items()}
        return value

    item: dict[str, Any] = restored(sample["item"])
    return item


def said_of(job: Job) -> dict[str, Any]:
    """What the samples say of a job."""
    view = grid_view(job)
    register = job.result or job.best
    return {
        "id": job.id,
        "client": job.client,
        "spec": job.spec,
        "kind": job.kind,
        "state": job.state.value,
        "attempt": job.attempt,
        "run": job.run,
        "tasks": job.tasks,
        "plan": job.plan,
        "created": job.created,
        "deadline": job.deadline,
        "done": sorted(job.done),
        "best": None if job.best is None else job.best.key,
        "best_by": None if job.best is None else job.best.by,
        "result": None if job.result is None else job.result.key,
        "points": [] if register is None else list(register.payload),
        "workers": sorted(job.workers),
        "credits": sorted(job.credits),
        "digests": [list(each) for each in sorted(job.digests)],
        "replicas": sorted(
            [each.task, each.worker, list(each.keys), each.at, each.digest] for each in job.replicas
        ),
        "refusals": job.refusals,
        "sent_at": job.sent_at,
        "resend_at": job.resend_at,
        "resends": job.resends,
        "moved": job.moved,
        "error": None if job.error is None else [job.error.code, job.error.detail],
        "finished": job.finished,
        "expires": job.expires,
        "grid": [list(view.grid.origin), list(view.grid.spacing), list(view.grid.shape)],
        "options": [view.min_distance, view.softening],
        "atom_count": view.atom_count,
        "seed": view.seed,
        "series": None if view.series is None else view.series.encode(),
        "cuts": view.chunking.encode(),
        "renewable": job.renewable(NOW + 10),
    }


@samples
def test_an_item_of_release_0_1_is_read_as_its_own_code_read_it(sample: dict[str, Any]) -> None:
    assert said_of(decode_job(item_of(sample))) == sample["expected"]


@samples
def test_a_new_item_keeps_what_both_releases_have_byte_for_byte(sample: dict[str, Any]) -> None:
    old, new = item_of(sample), encode_job(decode_job(item_of(sample)))

    assert {name: new[name] for name in new.keys() - OLD - {"detail"}} == {
        name: old[name] for name in old.keys() - OLD
    }
    assert decode_job(new) == decode_job(old)


@pytest.mark.parametrize("name", ["minimum_sent", "series_queued"])
def test_a_job_of_release_0_1_goes_on_in_this_one(aws: Aws, name: str) -> None:
    client, table = aws.clients["dynamodb"], aws.names["LedgerTable"]
    client.put_item(TableName=table, Item=item_of(SAMPLES[name]))
    ledger = DynamoJobLedger(client, table)
    job = decode_job(item_of(SAMPLES[name]))
    every, best = frozenset(range(job.tasks)), Best("400f", ("400f", "5"))

    assert ledger.restart(job.id, job.attempt, OTHER_ATTEMPT, now=NOW + 1)
    merged = ledger.merge(job.id, OTHER_ATTEMPT, every, best, worker="w", now=NOW + 2)
    assert ledger.finish(job.id, OTHER_ATTEMPT, best, now=NOW + 3)

    done = ledger.read(job.id)
    assert merged is not None
    assert done is not None
    assert merged.complete
    assert (done.state, done.result) == (JobState.DONE, Best("400f", ("400f", "5")))
    assert (done.detail, done.plan) == (job.detail, job.plan)


@pytest.mark.parametrize(
    ("name", "renewed"), [("failed_no_candidate", False), ("failed_deadline", True)]
)
def test_a_failed_job_of_release_0_1_is_renewed_where_that_helps(
    aws: Aws,
    name: str,
    renewed: bool,  # noqa: FBT001 - a table's column
) -> None:
    client, table = aws.clients["dynamodb"], aws.names["LedgerTable"]
    client.put_item(TableName=table, Item=item_of(SAMPLES[name]))
    ledger = DynamoJobLedger(client, table)
    seen = ledger.read(SAMPLES[name]["expected"]["id"])
    assert seen is not None
    fresh = decode_job(item_of(SAMPLES["minimum_queued"]))

    assert seen.renewable(NOW) is renewed
    assert ledger.create(replace(fresh, attempt=OTHER_ATTEMPT, run=2), replaces=seen) is renewed
