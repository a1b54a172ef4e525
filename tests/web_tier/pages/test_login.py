"""The pages over HTTP, as a browser without a script sees them."""

from __future__ import annotations

import io
import re
from html.parser import HTMLParser
from typing import Any

import pytest

from gridwell.kinds.grid.formats import Format
from gridwell.kinds.grid.job_view import grid_view
from tests.harness.web import Fuse
from tests.harness.web_http import SMALL, Site
from web_tier.pages.layout import STATIC

BROWSER = {"Accept": "text/html,application/xhtml+xml,*/*;q=0.8"}
RANDOM = {"source": "random", "grid_size": "4", "atom_count": "5", "seed": "1", "min_distance": "0"}


class Page(HTMLParser):
    """Ids, labels and addresses of a page."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.ids: list[str] = []
        self.labelled: set[str] = set()
        self.described: set[str] = set()
        self.addresses: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        if "id" in given:
            self.ids.append(given["id"])
        if tag == "label" and "for" in given:
            self.labelled.add(given["for"])
        self.described |= set(given.get("aria-describedby", "").split())
        self.described |= set(given.get("aria-labelledby", "").split())
        self.addresses += [given[name] for name in ("href", "src", "action") if name in given]


def page_of(site: Site, path: str, status: int = 200) -> str:
    answer = site.client.get(path, headers=BROWSER)
    assert answer.status_code == status
    assert answer.content_type.startswith("text/html")
    assert "default-src 'self'" in answer.headers["Content-Security-Policy"]
    return answer.get_data(as_text=True)


def every_page(site: Site) -> dict[str, str]:
    done = site.done()
    paths = ["/", "/jobs", f"/jobs/{done.id}", "/fleet", "/docs"]
    return {path: page_of(site, path) for path in paths} | {
        "/jobs/x": page_of(site, "/jobs/x", 404)
    }


def test_every_page_stands_alone_and_names_what_it_points_to() -> None:
    site = Site()
    for path, text in every_page(site).items():
        page = Page(text)
        assert len(page.ids) == len(set(page.ids)), path
        assert page.labelled <= set(page.ids), path
        assert page.described <= set(page.ids), path
        for address in page.addresses:
            assert address.startswith(("/", "#")), path
            if address.startswith("/static/"):
                with site.client.get(address) as file:
                    assert file.status_code == 200


def test_scripts_name_only_elements_that_some_page_has() -> None:
    site = Site()
    running = site.stored(site.post({"grid_size": 5, "atom_count": 3}))
    texts = every_page(site) | {"running": page_of(site, f"/jobs/{running.id}")}
    ids = {name for text in texts.values() for name in Page(text).ids}
    wanted: set[str] = set()
    for script in STATIC.glob("*.js"):
        wanted |= set(re.findall(r'(?:\bat|getElementById)\("([\w-]+)"\)', script.read_text()))

    assert len(wanted) > 10
    assert wanted <= ids


def test_static_files_may_be_kept_for_ever_as_their_address_changes_with_them() -> None:
    site = Site()
    address = next(a for a in Page(page_of(site, "/")).addresses if a.endswith("style.css"))

    with site.client.get(address) as file:
        assert re.fullmatch(r"/static/[0-9a-f]{12}/style\.css", address)
        assert "max-age=31536000" in file.headers["Cache-Control"]


def test_the_form_submits_and_leads_to_the_job() -> None:
    site = Site()

    answer = site.client.post("/jobs", data=RANDOM, headers=BROWSER)

    assert answer.status_code == 303
    job = site.world.ledger.read(answer.headers["Location"].rsplit("/", 1)[-1])
    assert job is not None
    assert grid_view(job).seed == 1
    text = page_of(site, answer.headers["Location"])
    assert "queued" in text
    assert '<noscript><meta http-equiv="refresh"' in text


def test_an_uploaded_file_is_submitted() -> None:
    site = Site()
    file: Any = (io.BytesIO(b"x,y,z,charge\n0,0,0,1\n3,3,3,-1\n"), "two.csv")

    answer = site.client.post(
        "/jobs", data={"source": "file", "spacing": "1", "margin": "1", "file": file}
    )

    assert answer.status_code == 303
    assert "2 atoms" in page_of(site, answer.headers["Location"])


@pytest.mark.parametrize("path", ["/jobs", "/estimate"])
@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_a_file_may_be_as_large_as_a_protein_and_larger(path: str, end: str) -> None:
    # Lines of any length: what of a piece is left for the next one must not count against it.
    lines = ["x,y,z,charge", *(f"{k % 50}.0,{k % 49},{k % 47},{k}" for k in range(1, 20_001))]
    file: Any = (io.BytesIO(end.join(lines).encode()), "protein.csv")

    answer = Site().client.post(path, data={"source": "file", "spacing": "5", "file": file})

    assert answer.status_code == {"/jobs": 303, "/estimate": 200}[path]


def test_every_format_that_is_read_can_be_chosen_and_dropped() -> None:
    text = page_of(Site(), "/")

    (accepted,) = re.findall(r'accept="([^"]*)"', text)
    assert set(accepted.split(",")) >= {f".{each.value.lower()}" for each in Format}
    assert all(each.value in text for each in Format)


def test_a_field_of_the_form_may_not_be_as_large_as_a_file() -> None:
    answer = Site().client.post(
        "/jobs",
        data={**RANDOM, "seed": "1" * 200_000},
        content_type="multipart/form-data",
        headers=BROWSER,
    )

    assert answer.status_code == 413


def test_faults_come_back_in_the_form_with_what_was_typed() -> None:
    site = Site()

    answer = site.client.post("/jobs", data={**RANDOM, "grid_size": "0"}, headers=BROWSER)

    assert answer.status_code == 422
    assert 'id="grid_size-error"' in answer.text
    assert 'value="0"' in answer.text
    assert "aria-invalid" in answer.text


def test_what_is_typed_is_never_taken_for_html() -> None:
    answer = Site().client.post("/jobs", data={**RANDOM, "seed": "<script>alert(1)</script>"})

    assert "<script>alert" not in answer.text
    assert "&lt;script&gt;" in answer.text


def test_a_done_job_shows_its_minimum_and_its_downloads() -> None:
    site = Site()
    job = site.done()
    least = grid_view(job).result
    assert least is not None

    text = page_of(site, f"/jobs/{job.id}")

    assert repr(least.value) in text
    assert f"/v1/jobs/{job.id}/record" in text
    assert "http-equiv" not in text


def test_ions_are_listed_and_can_be_stored() -> None:
    site = Site()
    job = site.done(SMALL | {"place": {"count": 3, "energy": 1, "min_separation": 1}})

    page = site.client.get(f"/jobs/{job.id}").text

    assert page.count("<tr><td>") == len(grid_view(job).points) == 3
    assert all(repr(point.value) in page for point in grid_view(job).points)
    assert f"/v1/jobs/{job.id}/ions.pdb" in page
    assert "3 ions of energy +1, placed one after the other" in page


def test_a_series_that_ended_early_says_so_on_its_page() -> None:
    site = Site()
    job = site.done({"grid_size": 3, "atom_count": 4, "top": 9, "min_separation": 3})

    page = site.client.get(f"/jobs/{job.id}").text

    assert (
        f"{len(grid_view(job).points)} of the 9 that were wanted: no other point qualifies" in page
    )


def test_a_job_is_cancelled_from_its_page() -> None:
    site = Site()
    job = site.stored(site.post(SMALL))

    answer = site.client.post(f"/jobs/{job.id}/cancel")

    assert answer.status_code == 303
    assert "cancelled" in page_of(site, answer.headers["Location"])
    assert site.client.post("/jobs/nothing/cancel").status_code == 404


@pytest.mark.parametrize("fields", [SMALL, {**SMALL, "keep_grid": True}, {**SMALL, "top": 2}])
def test_a_cancelled_job_is_submitted_again_from_its_page(fields: dict[str, Any]) -> None:
    site = Site()
    job = site.stored(site.post(fields))
    assert "Submit again" not in page_of(site, f"/jobs/{job.id}")
    site.client.post(f"/jobs/{job.id}/cancel")
    assert "Submit again" in page_of(site, f"/jobs/{job.id}")

    answer = site.client.post(f"/jobs/{job.id}/again")

    assert (answer.status_code, answer.headers["Location"]) == (303, f"/jobs/{job.id}")
    renewed = site.world.ledger.read(job.id)
    assert renewed is not None
    assert (renewed.run, renewed.kind, grid_view(renewed).seed) == (
        2,
        job.kind,
        grid_view(job).seed,
    )
    assert not renewed.state.terminal
    assert site.client.post("/jobs/nothing/again").status_code == 404


def test_an_estimate_is_words_or_the_first_fault() -> None:
    client = Site().client

    assert client.post("/estimate", data=RANDOM).json == {
        "words": "4 x 4 x 4 = 64 points and 5 atoms, 320 pairs in 1 chunk, about 2 ms of computing"
    }
    fault = client.post("/estimate", data={**RANDOM, "grid_size": "0"}).json
    assert fault is not None
    assert "0" in fault["words"]


def test_the_form_works_while_jobs_cannot_be_listed() -> None:
    site = Site(fuse=Fuse(breaks_at=0))

    assert "cannot be listed" in page_of(site, "/")


def test_jobs_are_listed_by_pages() -> None:
    site = Site()
    ids = [site.stored(site.post({**SMALL, "seed": seed})).id for seed in range(60)]

    first = page_of(site, "/jobs")
    older = re.search(r'href="(/jobs\?cursor=[^"]+)"', first)
    assert older is not None
    second = page_of(site, older[1].replace("&amp;", "&"))

    shown = re.findall(r"/jobs/([0-9a-f]{32})", first + second)
    assert sorted(shown) == sorted(ids)


@pytest.mark.parametrize("path", ["/jobs?cursor=rubbish", "/nowhere"])
def test_every_error_is_a_useful_page(path: str) -> None:
    answer = Site().client.get(path, headers=BROWSER)

    assert answer.status_code in (404, 422)
    assert answer.content_type.startswith("text/html")
    assert "New job" in answer.text


def test_the_interface_is_described_from_what_it_validates() -> None:
    text = page_of(Site(), "/docs")

    for words in ("POST /v1/jobs", "min_distance", "Prefer", "422"):
        assert words in text


def test_the_interface_is_told_in_the_order_in_which_it_is_used_and_without_marks() -> None:
    text = page_of(Site(), "/docs")

    headings = re.findall(r"<h2><code>([^<]*)</code></h2>", text)
    assert headings[0] == "POST /v1/jobs"
    assert headings[1] == "GET /v1/jobs"
    assert headings.index("GET /readyz") > headings.index("GET /v1/jobs/{job_id}/record")
    assert "`" not in re.sub(r"<pre.*?</pre>", "", text, flags=re.DOTALL)
    assert "Where keys are asked for, needs one that allows <code>read</code>." in text


def test_what_needs_a_script_is_not_offered_without_one() -> None:
    site = Site()
    text = page_of(site, f"/jobs/{site.done().id}")

    (button,) = re.findall(r'<button[^>]*id="verify"[^>]*>', text)
    assert " hidden" in button
