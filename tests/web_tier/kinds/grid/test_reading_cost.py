"""A request costs as much as it is long, and its refusal is short, whatever is wrong with it."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, Final

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gridwell.engine.errors import InvalidJob
from tests.harness.grid_requests import read_job
from tests.harness.scaling import LINEAR, growth, listed, named
from web_tier.api import error_handlers
from web_tier.api.request_body import NotJson
from web_tier.kinds.grid.models import GridRequest, JobRequest, PlaceRequest

if TYPE_CHECKING:
    from collections.abc import Callable

SIZE: Final = 40_000  #: bytes, of the smaller body
ANSWER: Final = 10_000  #: bytes, of any refusal
KEY: Final = f"gw_0123456789ab_{'S' * 43}"
#: An object of the schema, with room for more of its fields.
OBJECTS: Final = {
    "job": '{"grid_size": 4, "atom_count": 3, %s}',
    "grid": '{"atom_count": 3, "grid": {"origin": [0, 0, 0], "spacing": [1, 1, 1], '
    '"shape": [2, 2, 2], %s}}',
    "place": '{"grid_size": 4, "atom_count": 3, "place": {"count": 1, "energy": 1, %s}}',
    "another": '{"grid_size": 4, "atom_count": 3, "softening": {%s}}',
    "atom": '{"grid_size": 4, "atoms": [[0, 0, 0, {%s}]]}',
}
#: An object with one field, whose value is faulty.
FIELDS: Final = [
    *(f'{{"{name}": %s}}' for name in JobRequest.model_fields),
    *(f'{{"atom_count": 3, "grid": {{"{name}": %s}}}}' for name in GridRequest.model_fields),
    *(f'{{"grid_size": 4, "place": {{"{name}": %s}}}}' for name in PlaceRequest.model_fields),
    '{"grid_size": 4, "atoms": [%s]}',
    '{"grid_size": 4, "atoms": [[0, 0, 0, %s]]}',
    "%s",
]
#: Names of an object, of so many bytes in all.
NAMES: Final[dict[str, Callable[[int], str]]] = {
    "many": named,
    "one long": lambda n: f'"{"k" * n}": 1',
    "long ones": lambda n: ",".join(f'"{k}{"k" * 1000}":1' for k in range(n // 1005)),
    "repeated": lambda n: ",".join(['"same":1'] * (n // 9)),
    "repeated long": lambda n: f'"{"k" * n}": 1, "{"k" * n}": 1',
    "keys": lambda n: ",".join(f'"{KEY}{k}":1' for k in range(n // 70)),
    "control characters": lambda n: f'"{chr(92)}u001b{chr(92)}u202e{"x" * n}": 1',
}
#: A value, of so many bytes.
VALUES: Final[dict[str, Callable[[int], str]]] = {
    "numbers": lambda n: listed("1", n),
    "texts": lambda n: listed('"x"', n),
    "lists": lambda n: listed("[1,2,3]", n),
    "rows of texts": lambda n: listed('[1,2,3,""]', n),
    "objects": lambda n: listed("{}", n),
    "an object": lambda n: f"{{{NAMES['many'](n)}}}",
    "a text": lambda n: f'"{"x" * n}"',
    "a key": lambda n: f'"{KEY}{"x" * n}"',
    "a key in a list": lambda _: f'[["{KEY}"]]',
    "a deep list": lambda n: "[" * 150 + "1," * (n // 2) + "1" + "]" * 150,
    "endless depth": lambda n: "[" * n,
    "digits": lambda n: "9" * n,
    "4,300 digits": lambda _: "9" * 4300,
    "2,000 digits": lambda _: "9" * 2000,
    "minus 4,300 digits": lambda _: f"-{'9' * 4300}",
    "decimals": lambda n: f"0.{'1' * n}",
    "numbers of 4,000 digits": lambda n: listed("9" * 4000, n),
}


def refusal(body: bytes) -> bytes:
    """The answer to a body that is refused; empty if it is not."""
    try:
        read_job(body)
    except InvalidJob as error:
        return error_handlers._invalid(error).get_data()
    except NotJson as error:
        return error_handlers._not_json(error).get_data()
    return b""


def check_short(body: str) -> None:
    answer = refusal(body.encode())

    assert len(answer) < ANSWER
    assert b"S" * 20 not in answer
    assert answer.decode().isprintable()


@pytest.mark.parametrize("what", NAMES)
@pytest.mark.parametrize("kind", OBJECTS)
def test_names_cost_as_much_as_they_are_long(kind: str, what: str) -> None:
    grown = growth(refusal, lambda n: (OBJECTS[kind] % NAMES[what](n)).encode(), SIZE)

    assert grown < LINEAR


@pytest.mark.parametrize("what", VALUES)
def test_values_cost_as_much_as_they_are_long(what: str) -> None:
    grown = {
        field: growth(refusal, lambda n, form=field: (form % VALUES[what](n)).encode(), SIZE)  # type: ignore[misc]
        for field in FIELDS
    }

    assert {field: ratio for field, ratio in grown.items() if ratio > LINEAR} == {}


@pytest.mark.parametrize("what", NAMES)
@pytest.mark.parametrize("kind", OBJECTS)
def test_the_refusal_of_names_is_short_and_shows_no_key(kind: str, what: str) -> None:
    for size in (10, 1000, SIZE, 20 * SIZE):
        check_short(OBJECTS[kind] % NAMES[what](size))


@pytest.mark.parametrize("what", VALUES)
def test_the_refusal_of_a_value_is_short_and_shows_no_key(what: str) -> None:
    for field, size in itertools.product(FIELDS, (1, 1000, SIZE)):
        check_short(field % VALUES[what](size))


@settings(max_examples=100, deadline=None)
@given(
    st.fixed_dictionaries(dict.fromkeys(OBJECTS, st.sampled_from(sorted(NAMES)))),
    st.lists(st.tuples(st.sampled_from(FIELDS[:-1]), st.sampled_from(sorted(VALUES))), max_size=8),
    st.integers(1, 100_000),
)
def test_the_refusal_of_everything_at_once_is_short(
    names: dict[str, str], values: list[tuple[str, str]], size: int
) -> None:
    parts = [(OBJECTS[kind] % NAMES[what](size))[1:-1] for kind, what in names.items()]
    parts += [(field % VALUES[what](size))[1:-1] for field, what in values]

    check_short(f"{{{', '.join(parts)}}}")


def test_twenty_unknown_names_of_an_object_are_listed_and_the_rest_counted() -> None:
    with pytest.raises(InvalidJob) as caught:
        read_job((OBJECTS["grid"] % NAMES["many"](12 * 60)).encode())

    faults = caught.value.faults
    assert [fault.pointer for fault in faults[:20]] == [f"/grid/n{k:06x}" for k in range(20)]
    assert faults[20].pointer == "/grid"
    assert faults[20].detail == "40 more unknown fields are not listed"
    assert len(faults) == 21


def test_a_body_of_more_names_than_any_job_has_is_refused_before_it_is_parsed() -> None:
    body = (OBJECTS["job"] % NAMES["many"](12 * 200_000)).encode()[:-1]  # not even JSON

    with pytest.raises(InvalidJob) as caught:
        read_job(body)

    assert "200,002 names are more than the 100,000" in caught.value.faults[0].detail


@pytest.mark.parametrize("kind", OBJECTS)
def test_a_name_that_stands_twice_is_refused(kind: str) -> None:
    body = OBJECTS[kind] % '"one": 1, "two": 2, "one": 3'

    with pytest.raises(InvalidJob) as caught:
        read_job(body.encode())

    (fault,) = caught.value.faults
    assert 'the name "one" stands twice; give it once' in fault.detail


def test_a_field_that_stands_twice_is_refused_even_with_equal_values() -> None:
    with pytest.raises(InvalidJob, match='"grid_size" stands twice'):
        read_job(b'{"grid_size": 4, "atom_count": 3, "grid_size": 4}')


@pytest.mark.parametrize("digits", [5, 300, 2000, 4300])
def test_a_grid_of_any_number_of_digits_is_refused_with_a_fault(digits: int) -> None:
    number = f"99999{'9' * (digits - 5)}"
    grid = '"origin": [0, 0, 0], "spacing": [1, 1, 1]'

    assert refusal(f'{{"grid_size": {number}, "atom_count": 3}}'.encode())
    assert refusal(
        f'{{"grid": {{{grid}, "shape": [{number}, {number}, 1]}}, "atom_count": 3}}'.encode()
    )
