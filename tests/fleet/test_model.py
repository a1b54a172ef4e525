"""The fleet's view survives its way through the ledger."""

from __future__ import annotations

import json
from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from gridwell.engine.ports import Depth
from gridwell.fleet.billing import Bill
from gridwell.fleet.history import History, Sample
from gridwell.fleet.model import Decision, FleetView, InstanceState, InstanceView

times = st.floats(0, 2e9)
counts = st.integers(0, 1000)
views = st.builds(
    FleetView,
    at=times,
    instances=st.lists(
        st.builds(
            InstanceView,
            id=st.text(),
            state=st.sampled_from([state.value for state in InstanceState]),
            slot=st.none() | counts,
            since=st.none() | times,
            busy=st.none() | counts,
            chunks=st.none() | counts,
        ),
        max_size=3,
    ).map(tuple),
    queue=st.builds(Depth, visible=counts, in_flight=counts),
    cap=counts,
    paused=st.booleans(),
    decisions=st.lists(
        st.builds(
            Decision,
            at=times,
            reason=st.text(),
            start=counts,
            launch=counts,
            terminate=counts,
            stop=counts,
        ),
        max_size=3,
    ).map(tuple),
    arrived_at=st.none() | times,
    held=st.text(),
    owner=st.text(),
    history=st.lists(
        st.builds(Sample, at=counts, running=counts, visible=counts, cap=counts), max_size=3
    ).map(lambda samples: History(tuple(samples))),
    bill=st.builds(
        Bill, ended=counts.map(float), runs=st.dictionaries(st.text(), times, max_size=3)
    ),
)


@given(views)
def test_a_view_survives_being_written_and_read(view: FleetView) -> None:
    assert FleetView.decode(view.encode()) == view


@given(views)
def test_a_view_of_before_history_and_bill_were_kept_can_be_read(view: FleetView) -> None:
    fields = json.loads(view.encode())
    del fields["history"], fields["bill"]

    old = FleetView.decode(json.dumps(fields))

    assert old == replace(view, history=History(), bill=Bill())


def test_instance_states_are_ec2s_own_words() -> None:
    assert [state.value for state in InstanceState] == [
        "pending",
        "running",
        "stopping",
        "stopped",
        "shutting-down",
        "terminated",
    ]
