"""What pages say of jobs and of the fleet."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gridwell.engine.job import CHUNK_FAILED, JobError, JobState
from gridwell.engine.ports import Depth
from gridwell.fleet.billing import Bill
from gridwell.fleet.model import Decision, FleetView, InstanceView
from gridwell.kinds.grid.job_view import grid_view, register_of
from gridwell.kinds.grid.minimum import Minimum
from gridwell.kinds.grid.series import Series
from tests.harness.builders import NOW, a_job, a_problem
from web_tier.kinds.grid.job_page import estimate_words, job_view
from web_tier.kinds.registry import WEB_KINDS
from web_tier.pages.fleet_page import STALE_SECONDS, fleet_page
from web_tier.pages.formatting import ago, code_spans, duration, iso, money, rounded, short
from web_tier.pages.job_pages import job_row

PROBLEM = a_problem()
DONE = replace(
    a_job(PROBLEM),
    state=JobState.DONE,
    done=frozenset(range(4)),
    result=register_of(Minimum(-1.25, 21)),
    workers=frozenset({"arn:aws:ec2:eu-west-1:1:instance/i-2", "i-1"}),
    finished=NOW + 2.0,
)


def test_a_done_job_shows_every_bit_of_its_minimum_and_the_nearest_atom() -> None:
    view = job_view(DONE, PROBLEM.atoms, now=NOW + 60, dollars_per_hour=0.09)

    assert view.result is not None
    assert view.result.value == "-1.25"
    assert view.result.index == "1, 1, 1"
    assert view.result.point == "1.0, 1.0, 1.0"
    assert view.nearest is not None
    assert view.nearest.startswith("number ")
    assert view.seconds == "2 s"
    assert view.computed_by == "i-1, i-2"
    assert view.cost == "less than $0.0001"
    assert [link.words for link in view.downloads][-1] == "Record"


def test_a_running_job_shows_how_far_it_is_and_can_be_cancelled() -> None:
    running = replace(a_job(PROBLEM), state=JobState.RUNNING, done=frozenset({0}))

    view = job_view(running, None, now=NOW, dollars_per_hour=0.0)

    assert view.counts == "16 of 64 points, 1 of 4 chunks"
    assert view.percent == "25 %"
    assert view.cancellable
    assert view.cost == ""
    assert view.result is None
    assert len(view.downloads) == 2


def test_a_failed_job_says_why() -> None:
    error = JobError(CHUNK_FAILED, "chunk 0 failed")

    view = job_view(
        replace(a_job(PROBLEM), state=JobState.FAILED, error=error),
        None,
        now=NOW,
        dollars_per_hour=0.0,
    )

    assert view.error == error
    assert not view.cancellable


def test_a_row_has_no_minimum_before_there_is_one() -> None:
    assert job_row(a_job(PROBLEM), WEB_KINDS, NOW).answer == ""
    assert job_row(DONE, WEB_KINDS, NOW).answer == "-1.25"


def test_many_instances_are_counted_and_not_all_listed() -> None:
    many = replace(DONE, workers=frozenset(f"i-{k}" for k in range(9)))

    view = job_view(many, None, now=NOW, dollars_per_hour=0.0)

    assert view.computed_by == "i-0, i-1, i-2, i-3 and 5 more instances"


def test_an_estimate_names_points_chunks_seconds_and_dollars() -> None:
    words = estimate_words((40, 40, 40), 200, dollars_per_hour=0.09)

    assert words.startswith("40 x 40 x 40 = 64,000 points and 200 atoms, 12.8 M pairs in 8 chunks")
    assert words.endswith("less than $0.0001")
    assert "$" not in estimate_words((4, 4, 4), 1, dollars_per_hour=0.0)


FLEET = FleetView(
    at=NOW,
    instances=(
        InstanceView(id="i-1", state="running", slot=0, since=NOW - 90, busy=2, chunks=1234),
        InstanceView(id="i-2", state="stopped", slot=1, since=None),
    ),
    queue=Depth(visible=1200, in_flight=3),
    cap=19,
    decisions=(Decision(at=NOW - 5, reason="4 chunks waiting", start=1, launch=2),),
)


def test_the_fleets_page_counts_states_and_tells_each_decision() -> None:
    page = fleet_page(
        replace(FLEET, bill=Bill(ended=7200.0)), now=NOW, killable=True, dollars_per_hour=0.08925
    )

    assert {tile.name: tile.value for tile in page.tiles} == {
        "Running": "1",
        "Booting": "0",
        "Stopping": "0",
        "Stopped": "1",
        "Cap": "19",
        "Chunks waiting": "1,200",
        "Chunks in flight": "3",
        "Cost so far": "$0.1785 for 2 h",
    }
    first, second = page.instances
    assert (first.slot, first.since, first.busy, first.chunks) == ("00", "2 min ago", "2", "1,234")
    assert first.on
    assert not second.on
    assert page.decisions[0].did == "start 1, launch 2"
    assert page.stale is None


def test_a_decision_to_stop_says_so() -> None:
    stopped = replace(FLEET, decisions=(Decision(at=NOW - 5, reason="no heartbeat", stop=2),))

    page = fleet_page(stopped, now=NOW, killable=True)

    assert page.decisions[0].did == "stop 2"


def test_a_fleet_that_never_ran_cost_nothing() -> None:
    page = fleet_page(FLEET, now=NOW, killable=True, dollars_per_hour=0.08925)

    assert page.tiles[-1].value == "$0"


def test_an_old_view_of_the_fleet_is_said_to_be_old() -> None:
    page = fleet_page(FLEET, now=NOW + STALE_SECONDS + 30, killable=True)

    assert page.stale is not None
    assert "1 min" in page.stale


def test_before_the_first_look_nothing_is_known_of_the_fleet() -> None:
    page = fleet_page(None, now=NOW, killable=True)

    assert page.stale is not None
    assert page.tiles == ()


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(0.0001, "1 ms"), (0.25, "250 ms"), (2.0, "2 s"), (90.0, "1.5 min"), (7200.0, "2 h")],
)
def test_durations_are_in_the_unit_that_fits(seconds: float, words: str) -> None:
    assert duration(seconds) == words


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(1, "just now"), (30, "30 s ago"), (600, "10 min ago"), (7200, "2 h ago")],
)
def test_moments_are_told_by_their_age(seconds: float, words: str) -> None:
    assert ago(NOW - seconds, NOW) == words


def test_long_ago_is_a_date() -> None:
    assert ago(NOW - 90_000, NOW) == iso(NOW - 90_000)[:10]


@pytest.mark.parametrize(
    ("dollars", "words"), [(1e-9, "less than $0.0001"), (0.0123, "$0.0123"), (1234.5, "$1,234.50")]
)
def test_money_is_never_nothing(dollars: float, words: str) -> None:
    assert money(dollars) == words


@given(st.floats(0, 1e15))
def test_counts_are_short(value: float) -> None:
    assert len(short(value)) <= len("1.23e+03 T")


def test_coordinates_of_a_list_are_without_the_noise_of_float64() -> None:
    assert rounded((-0.9000000000000004, -0.20551364653087134, -0.0)) == "-0.9, -0.205514, 0"
    assert rounded((12345.678, 1e9, 1e-9)) == "12345.678, 1000000000, 0"


def test_what_stands_between_backticks_is_code_and_nothing_is_html() -> None:
    assert code_spans("a `b<` <i>`c`") == "a <code>b&lt;</code> &lt;i&gt;<code>c</code>"


@pytest.mark.parametrize(
    ("series", "words"),
    [
        (None, "minimum"),
        (Series(1), "minimum"),
        (Series(3), "points"),
        (Series(1, ion=1), "ion"),
        (Series(6, ion=-1), "ions"),
    ],
)
def test_the_picture_names_what_stands_out(series: Series | None, words: str) -> None:
    detail = a_job(series=series, chunking=grid_view(DONE).chunking).detail
    view = job_view(replace(DONE, detail=detail), None, now=NOW, dollars_per_hour=0.0)

    assert view.marked == words
