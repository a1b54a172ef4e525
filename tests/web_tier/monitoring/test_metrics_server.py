"""The collector's metrics at a port of its own."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import requests
from prometheus_client import CollectorRegistry, Counter

from tests.harness.waiting import DEADLINE
from web_tier.monitoring.metrics_server import MetricsServer

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(params=["loopback", "public"])
def server(request: pytest.FixtureRequest) -> Iterator[MetricsServer]:
    registry = CollectorRegistry()
    Counter("things", "Things.", registry=registry).inc(3)
    server = MetricsServer("127.0.0.1", 0, registry)
    assert server.only_loopback_hosts
    if request.param == "public":  # as on an address that other machines reach
        server.only_loopback_hosts = False
    server.start()
    yield server
    server.shutdown()
    server.server_close()


def get(server: MetricsServer, **headers: str) -> requests.Response:
    return requests.get(
        f"http://127.0.0.1:{server.server_port}/metrics", headers=headers, timeout=DEADLINE
    )


def test_prometheus_reads_the_counters(server: MetricsServer) -> None:
    answer = get(server)

    assert answer.status_code == 200
    assert "things_total 3.0" in answer.text


@pytest.mark.parametrize("header", [{"Origin": "null"}, {"Sec-Fetch-Site": "none"}])
def test_a_page_reads_nothing(server: MetricsServer, header: dict[str, str]) -> None:
    answer = get(server, **header)

    assert answer.status_code == 403
    assert "things" not in answer.text


def test_a_foreign_name_is_served_only_where_other_machines_are(server: MetricsServer) -> None:
    expected = 403 if server.only_loopback_hosts else 200

    assert get(server, Host="metrics.example.org").status_code == expected


@pytest.mark.parametrize("method", ["POST", "PUT", "OPTIONS"])
def test_there_is_nothing_but_reading(server: MetricsServer, method: str) -> None:
    url = f"http://127.0.0.1:{server.server_port}/"

    assert requests.request(method, url, timeout=DEADLINE).status_code == 501
