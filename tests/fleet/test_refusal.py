"""What EC2 refuses, for people."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gridwell.engine.errors import ServiceDenied, Throttled
from gridwell.fleet.refusal import ALL, Cause, Refusal, described, remedy


def a_refusal(**changes: object) -> Refusal:
    fields: dict[str, object] = {
        "action": "launch",
        "target": "c7i.large@subnet-a",
        "cause": Cause.NO,
        "code": "InvalidSubnetID.NotFound",
        "message": "The subnet ID 'subnet-a' does not exist",
        "since": 100.0,
        "at": 200.0,
        **changes,
    }
    return Refusal(**fields)  # type: ignore[arg-type]


def test_a_refused_offer_names_ec2s_code_words_and_remedy() -> None:
    assert described(a_refusal()) == (
        "EC2 refuses to launch c7i.large in subnet-a: InvalidSubnetID.NotFound: The subnet ID "
        "'subnet-a' does not exist"
    )
    assert remedy(a_refusal()) == "correct GRIDWELL_SUBNETS"


@pytest.mark.parametrize(
    ("code", "words"),
    [
        ("UnauthorizedOperation", "role"),
        ("InvalidParameterValue", "GRIDWELL_INSTANCE_TYPES"),
        ("VcpuLimitExceeded", "quota of vCPUs"),
        ("ReservationCapacityExceeded", "reservation"),
        ("OperationNotPermitted", "protection"),
        ("Client.InternalError", "key"),
        ("Client.VolumeLimitExceeded", "quota of volumes"),
        ("RequestLimitExceeded", "wait"),
        ("PendingVerification", "verified"),
    ],
)
def test_the_remedy_is_the_codes_own(code: str, words: str) -> None:
    assert words in remedy(a_refusal(code=code))


@given(
    action=st.sampled_from(["start", "launch", "stop", "force", "terminate", "boot", "read"]),
    target=st.sampled_from(["i-1", ALL, "a@b", "@", "slot 03"]),
    cause=st.sampled_from(Cause),
    code=st.text(max_size=20),
    message=st.text(max_size=20),
)
def test_every_refusal_has_words_and_a_remedy(
    action: str, target: str, cause: Cause, code: str, message: str
) -> None:
    one = a_refusal(action=action, target=target, cause=cause, code=code, message=message)

    assert described(one)
    assert remedy(one)


def test_a_row_adds_up_and_keeps_its_beginning() -> None:
    later = a_refusal(code="Unsupported", since=300.0, at=300.0)

    both = a_refusal().again(later)

    assert (both.since, both.at, both.count, both.code) == (100.0, 300.0, 2, "Unsupported")
    assert a_refusal(release="1").again(a_refusal(release="2")).count == 1


def test_an_unknown_cause_is_another_releases() -> None:
    with pytest.raises(ValueError, match="bad weather"):
        a_refusal(cause="bad weather")


def test_errors_of_services_carry_their_code() -> None:
    error = ServiceDenied("not allowed", code="UnauthorizedOperation", message="no")
    assert (error.code, error.message, str(error)) == ("UnauthorizedOperation", "no", "not allowed")
    assert Throttled("too many").code == ""


@given(st.lists(st.sampled_from([Cause.NO, Cause.UNKNOWN, Cause.IDLE, Cause.FULL]), min_size=1))
def test_only_clear_refusals_since_ec2_last_agreed_are_denials(causes: list[Cause]) -> None:
    row = a_refusal(cause=causes[0])
    for cause in causes[1:]:
        row = row.again(a_refusal(cause=cause))

    agreed = max((n for n, cause in enumerate(causes) if cause is Cause.IDLE), default=-1)
    assert row.denials == causes[agreed + 1 :].count(Cause.NO)
    assert row.count == len(causes)
