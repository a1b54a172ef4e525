"""No part of a request makes an answer long: neither its address, nor a header, nor a form."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Final

import pytest

from tests.harness.scaling import LINEAR, growth
from tests.harness.web_http import Site
from web_tier.kinds.grid.form import DEFAULTS

if TYPE_CHECKING:
    from collections.abc import Callable

ANSWER: Final = 10_000  #: bytes
SIZE: Final = 4_000  #: of the smaller text
KEY: Final = f"gw_0123456789ab_{'S' * 43}"
PADDED: Final = f"{KEY} \u202e\x1b[2K<b>"

ADDRESSES = (
    *("/v1/jobs?limit=%s", "/v1/jobs?cursor=%s", "/v1/jobs/%s", "/v1/jobs/%s/atoms", "/%s"),
    *("/v1/%s", "/jobs/%s", "/v1/jobs/JOB/result?top=%s", "/v1/jobs/JOB/result?top=2&%s=1"),
    *("/v1/jobs/JOB/result?top=2&min_separation=%s", "/v1/jobs/JOB/atoms?format=%s"),
)
#: A header and an address that reads it.
HEADERS = (
    ("Accept", "/v1/jobs/JOB/atoms", "%s"),
    ("Accept", "/v1/jobs/JOB/atoms", "text/x;q=0.5,%s"),
    ("Prefer", "/v1/jobs/JOB", "wait=%s"),
    ("If-None-Match", "/v1/jobs/JOB", '"%s"'),
    ("If-None-Match", "/v1/jobs/JOB/atoms", '"a", W/"b",%s'),
    ("If-Match", "/v1/jobs/JOB", '"%s"'),
    ("Content-Type", "/v1/jobs", "%s"),
    ("Last-Event-ID", "/v1/jobs/JOB/result", "%s"),
    ("Range", "/v1/jobs/JOB/atoms", "bytes=%s"),
    ("X-Request-ID", "/v1/jobs/JOB", "%s"),
)
#: Texts of so many characters.
TEXTS: Final[dict[str, Callable[[int], str]]] = {
    "letters": lambda size: "x" * size,
    "digits": lambda size: "9" * size,
    "commas": lambda size: ",a" * (size // 2),
    "tags": lambda size: ',"x"' * (size // 4),
    "blanks": lambda size: ", " * (size // 2),
    "ranges": lambda size: "0-1," * (size // 4),
    "a key": lambda size: f"{KEY}{'x' * size}",
}


@pytest.fixture
def site() -> Site:
    return Site()


@pytest.fixture
def job(site: Site) -> str:
    return site.done().id


@pytest.mark.parametrize("what", TEXTS)
@pytest.mark.parametrize("address", ADDRESSES)
def test_an_address_makes_no_answer_long_and_shows_no_key(
    site: Site, job: str, address: str, what: str
) -> None:
    path = address.replace("JOB", job) % TEXTS[what](SIZE)

    answer = site.client.get(path).get_data()

    assert len(answer) < ANSWER
    assert b"S" * 20 not in answer


@pytest.mark.parametrize("what", TEXTS)
@pytest.mark.parametrize(("name", "address", "form"), HEADERS)
def test_a_header_makes_no_answer_long_and_costs_as_much_as_it_is_long(
    site: Site, job: str, name: str, address: str, form: str, what: str
) -> None:
    path = address.replace("JOB", job)

    def ask(text: str) -> bytes:
        if name == "Content-Type":
            return site.client.post(path, data="{}", content_type=text).get_data()
        return site.client.get(path, headers={name: text}).get_data()

    answer = ask(form % TEXTS[what](SIZE))

    assert len(answer) < ANSWER
    assert b"S" * 20 not in answer
    assert growth(ask, lambda size: form % TEXTS[what](size), SIZE) < LINEAR


@pytest.mark.parametrize("name", DEFAULTS)
@pytest.mark.parametrize("source", ["random", "example", "file"])
@pytest.mark.parametrize("address", ["/jobs", "/estimate"])
def test_a_field_of_the_form_makes_no_page_long(
    site: Site, name: str, source: str, address: str
) -> None:
    fields = {**DEFAULTS, "source": source}
    usual = len(site.client.post(address, data=fields).get_data())
    fields |= {name: PADDED * 1000}

    answer = site.client.post(address, data=fields).get_data()

    assert len(answer) < usual + ANSWER
    assert b"S" * 44 not in answer


@pytest.mark.parametrize("address", ["/jobs", "/estimate"])
def test_a_files_name_and_content_make_no_page_long(site: Site, address: str) -> None:
    fields = {**DEFAULTS, "source": "file"}
    usual = len(site.client.post(address, data=fields).get_data())
    file = (io.BytesIO(f"{PADDED}\n".encode() * 1000), f"{PADDED * 100}.csv")

    answer = site.client.post(
        address, data=fields | {"file": file}, content_type="multipart/form-data"
    ).get_data()

    assert len(answer) < usual + ANSWER
