from __future__ import annotations

import secrets
from typing import TYPE_CHECKING, Any

import pytest
from botocore.exceptions import ClientError
from hypothesis import given, settings
from hypothesis import strategies as st

from gridwell.adapters.aws.s3 import S3Store
from gridwell.adapters.memory import MemoryStore
from gridwell.engine.errors import ServiceBusy, ServiceDenied
from tests.harness.faulty_port import Lossy
from tests.harness.threads import at_once

if TYPE_CHECKING:
    from gridwell.engine.ports import ObjectStore
    from tests.adapters.conftest import Aws

OCTETS = "application/octet-stream"


@pytest.fixture(scope="session")
def store(backend: str, request: pytest.FixtureRequest) -> ObjectStore:
    if backend == "memory":
        return MemoryStore()
    aws: Aws = request.getfixturevalue("aws")
    return S3Store(aws.clients["s3"], aws.names["Bucket"])


def fresh_key() -> str:
    return f"problems/{secrets.token_hex(16)}.npz"


def test_an_object_that_was_never_stored_is_none(store: ObjectStore) -> None:
    assert store.get(fresh_key()) is None


@settings(max_examples=10)
@given(data=st.binary(max_size=2000))
def test_an_object_comes_back_to_the_last_byte(store: ObjectStore, data: bytes) -> None:
    key = fresh_key()

    assert store.put_new(key, data, content_type=OCTETS)
    assert store.get(key) == data


@pytest.mark.parametrize(
    ("start", "length", "expected"),
    [(0, 4, b"0123"), (3, 1, b"3"), (6, 4, b"6789"), (8, 9, b"89"), (10, 1, b""), (99, 2, b"")],
)
def test_a_range_is_what_there_is_of_it(
    store: ObjectStore, start: int, length: int, expected: bytes
) -> None:
    key = fresh_key()
    store.put_new(key, b"0123456789", content_type=OCTETS)

    assert store.get_range(key, start, length) == expected


def test_a_range_of_an_object_that_was_never_stored_is_none(store: ObjectStore) -> None:
    assert store.get_range(fresh_key(), 0, 1) is None


def test_a_stored_object_is_never_replaced(store: ObjectStore) -> None:
    key = fresh_key()
    store.put_new(key, b"first", content_type=OCTETS)

    assert not store.put_new(key, b"second", content_type=OCTETS)
    assert store.get(key) == b"first"


def test_of_racing_writers_one_wins(store: ObjectStore) -> None:
    key = fresh_key()
    contents = [str(number).encode() for number in range(8)]

    won = at_once([lambda c=c: store.put_new(key, c, content_type=OCTETS) for c in contents])  # type: ignore[misc]

    assert won.count(True) == 1
    assert store.get(key) == contents[won.index(True)]


# --- what S3 alone can do to us


def test_a_put_whose_reply_was_lost_has_stored_the_object(aws: Aws) -> None:
    client: Any = Lossy(aws.clients["s3"], "put_object")
    store, key = S3Store(client, aws.names["Bucket"]), fresh_key()
    with pytest.raises(ServiceBusy, match=key):
        store.put_new(key, b"data", content_type=OCTETS)

    assert not store.put_new(key, b"data", content_type=OCTETS)
    assert store.get(key) == b"data"


class Conflicting:
    """S3 that answers 409 to the first puts."""

    def __init__(self, conflicts: int) -> None:
        self.left = conflicts

    def put_object(self, **_: Any) -> None:
        if self.left:
            self.left -= 1
            raise ClientError({"Error": {"Code": "ConditionalRequestConflict"}}, "PutObject")


def test_a_put_in_conflict_with_another_is_tried_again() -> None:
    client: Any = Conflicting(2)

    assert S3Store(client, "b").put_new("k", b"", content_type=OCTETS)


def test_endless_conflict_is_told() -> None:
    client: Any = Conflicting(9)

    with pytest.raises(ServiceBusy, match="3 times in a row"):
        S3Store(client, "b").put_new("k", b"", content_type=OCTETS)
    assert client.left == 6


def test_a_missing_bucket_is_named_with_the_remedy(aws: Aws) -> None:
    store = S3Store(aws.clients["s3"], "nowhere")

    with pytest.raises(ServiceDenied, match=r"the bucket nowhere.*create the stack"):
        store.get("k")
    with pytest.raises(ServiceDenied, match=r"the bucket nowhere.*create the stack"):
        store.put_new("k", b"", content_type=OCTETS)
