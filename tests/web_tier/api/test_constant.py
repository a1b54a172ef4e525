"""What anybody may ask for and is always the same is made once."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import flask
import pytest

from tests.harness.web_http import Site

if TYPE_CHECKING:
    from collections.abc import Callable


@pytest.mark.parametrize("path", ["/docs", "/openapi.json"])
def test_the_description_is_written_once_and_has_an_etag(
    monkeypatch: pytest.MonkeyPatch, path: str
) -> None:
    site = Site()
    writes: list[str] = []

    def counting(name: str, write: Callable[..., str]) -> Callable[..., str]:
        def written(*args: Any, **options: Any) -> str:
            writes.append(name)
            return write(*args, **options)

        return written

    page = counting("/docs", flask.render_template)
    monkeypatch.setattr("web_tier.pages.routes.render_template", page)
    monkeypatch.setattr(site.app.json, "dumps", counting("/openapi.json", site.app.json.dumps))

    first, second = (site.client.get(path) for _ in range(2))
    known = site.client.get(path, headers={"If-None-Match": first.headers["ETag"]})

    assert first.status_code == second.status_code == 200
    assert first.data == second.data != b""
    assert known.status_code == 304
    assert writes == [path]


def test_the_description_may_be_kept_by_anybody_for_a_while() -> None:
    answer = Site().client.get("/openapi.json")

    assert answer.headers["Cache-Control"] == "public, max-age=300"
    assert answer.json is not None
    assert answer.json["openapi"].startswith("3.1")
