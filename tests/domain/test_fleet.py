"""The fleet's view survives its way through the ledger."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from gridwell.domain.fleet import (
    Decision,
    Depth,
    FleetView,
    InstanceState,
    InstanceView,
)

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
)


@given(views)
def test_a_view_survives_being_written_and_read(view: FleetView) -> None:
    assert FleetView.decode(view.encode()) == view


def test_instance_states_are_ec2s_own_words() -> None:
    assert [state.value for state in InstanceState] == [
        "pending",
        "running",
        "stopping",
        "stopped",
        "shutting-down",
        "terminated",
    ]
