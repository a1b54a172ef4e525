"""A site that asks for keys, and clients that have some."""

from __future__ import annotations

import json
import secrets
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from gridwell.access.keys import ID_BYTES, SECRET_BYTES, Scope, make_key
from gridwell.adapters.memory import MemoryAccessLedger
from tests.harness.web import World
from tests.harness.web_http import SMALL, Site
from web_tier.auth.key_cache import KeyCache
from web_tier.auth.policy import Access

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from werkzeug.test import TestResponse

    from gridwell.engine.job import Job
    from web_tier.auth.route_rules import RouteKind
    from web_tier.jobs.quota_check import QuotaCheck
    from web_tier.overload.concurrency_limit import ConcurrencyLimits

USUAL = frozenset({Scope.SUBMIT, Scope.READ})


@dataclass(slots=True)
class Keyed:
    """A site whose callers need keys."""

    limits: Mapping[RouteKind, str] = field(default_factory=dict)
    failure_limit: str = "1000/day"
    allowance: QuotaCheck | None = None
    proxies: int = 0
    hosts: frozenset[str] | None = None
    kill: Callable[[str], None] | None = None
    gates: ConcurrencyLimits | None = None
    capacity: int = 4
    world: World = field(default_factory=World)
    ledger: MemoryAccessLedger = field(default_factory=MemoryAccessLedger)
    site: Site = field(init=False)

    def __post_init__(self) -> None:
        access = Access(
            keyring=KeyCache(self.ledger, self.world.clock),
            limits=self.limits,
            failure_limit=self.failure_limit,
            hosts=self.hosts,
            proxies=self.proxies,
        )
        self.site = Site(
            world=self.world,
            access=access,
            allowance=self.allowance,
            kill=self.kill,
            gates=self.gates,
            capacity=self.capacity,
        )

    def key(
        self,
        client: str = "alice",
        scopes: frozenset[Scope] = USUAL,
        *,
        lifetime: float | None = None,
    ) -> str:
        """A new key's text."""
        text, key = make_key(
            client,
            scopes,
            now=self.world.clock.now(),
            lifetime=lifetime,
            key_id=secrets.token_bytes(ID_BYTES),
            secret=secrets.token_bytes(SECRET_BYTES),
        )
        assert self.ledger.add_key(key)
        return text

    def ask(self, method: str, path: str, key: str | None = None, **options: Any) -> TestResponse:
        """A request, with a key if there is one."""
        headers = dict(options.pop("headers", {}))
        if key is not None:
            headers["Authorization"] = f"Bearer {key}"
        return self.site.client.open(path, method=method, headers=headers, **options)

    def submit(self, key: str, body: dict[str, Any] | None = None) -> TestResponse:
        """Submit a job."""
        return self.ask(
            "POST",
            "/v1/jobs",
            key,
            data=json.dumps(SMALL if body is None else body),
            content_type="application/json",
        )

    def job(self, key: str, *, done: bool) -> Job:
        """A job of the key's client."""
        response = self.submit(key, SMALL if done else SMALL | {"seed": 99})
        assert response.status_code in (200, 202), response.text
        job = self.site.stored(response)
        if done and not job.state.terminal:
            self.site.finish(job)
        return self.world.job(job)


def key_id(text: str) -> str:
    """The id in a key's text."""
    return text.split("_")[1]
