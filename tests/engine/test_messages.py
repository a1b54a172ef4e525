"""Messages are read as they were written, or refused."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gridwell.engine.errors import InvalidMessage, OtherVersion
from gridwell.engine.limits import MESSAGE_BYTES
from gridwell.engine.messages import (
    TASKS_VERSION,
    VERSION,
    ChunkMessage,
    Envelope,
    ErrorMessage,
    Report,
    ResultMessage,
    RowsMessage,
    decode_report,
)
from gridwell.engine.register import Best
from gridwell.engine.rows import Row
from gridwell.engine.task_set import TaskSet
from gridwell.kinds.grid.limits import MAX_SERIES
from gridwell.kinds.grid.minimum import Minimum
from gridwell.kinds.grid.names import MINIMUM_KIND
from tests.kinds.grid.strategies import minima

CHUNK = ChunkMessage(
    kind=MINIMUM_KIND,
    job="0" * 32,
    attempt="1" * 16,
    chunk=3,
    plan="2" * 64,
    problem="3" * 64,
    token="4" * 64,
)
RESULT = ResultMessage(
    job="0" * 32,
    attempt="1" * 16,
    chunk=3,
    plan="2" * 64,
    token="4" * 64,
    best=Minimum(-1.5, 7).key(),
    worker="arn:aws:ec2:us-east-1:1:instance/i-0",
    seconds=0.25,
)


def hexes(length: int) -> st.SearchStrategy[str]:
    return st.text(alphabet="0123456789abcdef", min_size=length, max_size=length)


chunk_messages = st.builds(
    ChunkMessage,
    kind=st.sampled_from(["minimum", "map", "sleep"]),
    job=hexes(32),
    attempt=hexes(16),
    chunk=st.integers(0, 10_000),
    plan=hexes(64),
    problem=hexes(64),
    token=hexes(64),
)
result_messages = st.builds(
    ResultMessage,
    job=hexes(32),
    attempt=hexes(16),
    chunk=st.integers(0, 10_000),
    plan=hexes(64),
    token=hexes(64),
    best=st.none() | minima.map(Minimum.key),
    worker=st.text(st.characters(min_codepoint=33, max_codepoint=126), min_size=1, max_size=256),
    seconds=st.floats(0, 1e9) | st.integers(0, 1000),
)


def changed(message: ChunkMessage | Report, **changes: Any) -> str:
    return json.dumps({**json.loads(message.encode()), **changes})


@given(chunk_messages)
def test_a_chunk_message_survives_the_queue(message: ChunkMessage) -> None:
    assert ChunkMessage.decode(message.encode()) == message
    assert len(message.encode().encode()) < 1024


@given(result_messages)
def test_a_result_survives_the_queue(message: ResultMessage) -> None:
    assert ResultMessage.decode(message.encode()) == message
    assert len(message.encode().encode()) < MESSAGE_BYTES


def test_a_result_gives_its_register_and_who_reported_it() -> None:
    assert RESULT.register == Best(Minimum(-1.5, 7).key(), by=RESULT.worker)
    assert ResultMessage.decode(changed(RESULT, best=None)).register is None


def test_the_text_is_json_with_a_version() -> None:
    assert json.loads(CHUNK.encode()) == {
        "version": VERSION,
        "kind": "minimum",
        "job": "0" * 32,
        "attempt": "1" * 16,
        "chunk": 3,
        "plan": "2" * 64,
        "problem": "3" * 64,
        "token": "4" * 64,
        "again": False,
    }


@pytest.mark.parametrize(
    "text",
    ["", "null", "[]", "5", '"text"', "{}", "{", "[" * 100_000, '{"version": 1}', "\x00", "é"],
)
def test_what_is_not_a_message_is_refused(text: str) -> None:
    for kind in (ChunkMessage, ResultMessage):
        with pytest.raises(InvalidMessage):
            kind.decode(text)


@pytest.mark.parametrize("version", [0, VERSION - 1, TASKS_VERSION + 1, 10**30])
def test_another_version_is_left_to_another_release(version: int) -> None:
    with pytest.raises(
        OtherVersion,
        match=f"of version {version}, this release reads version {VERSION} and {TASKS_VERSION}",
    ):
        ChunkMessage.decode(changed(CHUNK, version=version))


@pytest.mark.parametrize("version", ["1", None, 1.0, True, [1]])
def test_what_is_no_version_is_no_message(version: Any) -> None:
    with pytest.raises(InvalidMessage, match="is not a message with a version") as caught:
        ChunkMessage.decode(changed(CHUNK, version=version))
    assert not isinstance(caught.value, OtherVersion)


def test_whose_a_message_is_can_be_told_in_every_version() -> None:
    later = changed(CHUNK, version=2, kind="sum", colour="blue", chunk=7)

    assert Envelope.peek(later) == replace(CHUNK.envelope, chunk=7)


@pytest.mark.parametrize(
    "text", ["", "null", "[]", "{", "[" * 100_000, '{"job": 5}', changed(CHUNK, job="x")]
)
def test_of_what_is_no_message_nothing_can_be_told(text: str) -> None:
    assert Envelope.peek(text) is None


def test_a_chunk_sent_once_more_is_the_same_chunk() -> None:
    again = replace(CHUNK, again=True)

    assert again == CHUNK
    assert ChunkMessage.decode(again.encode()).again


# --- errors

ERROR = ErrorMessage.of(
    CHUNK.envelope, worker="w-1", code="raised", text="ValueError('odd')", receives=3
)


def test_an_error_comes_back_as_it_was_sent() -> None:
    assert decode_report(ERROR.encode()) == ERROR
    assert decode_report(RESULT.encode()) == RESULT


@pytest.mark.parametrize("letter", ["x", "é", "\ud83d\ude00", "\ud83d", "\x00", '"'])
def test_a_long_text_is_cut_and_still_fits_into_a_message(letter: str) -> None:
    error = ErrorMessage.of(
        CHUNK.envelope, worker="w" * 256, code="raised", text=letter * 2000, receives=10**6
    )

    assert (len(error.text), error.text[-1], error.receives) == (500, "…", 99)
    assert len(error.encode()) <= MESSAGE_BYTES
    assert decode_report(error.encode()) == error


@given(st.text(st.characters(exclude_categories=["Cs"]), max_size=500))
def test_the_text_of_an_error_is_printable_whoever_sent_it(text: str) -> None:
    sent = decode_report(changed(ERROR, text=text))
    made = ErrorMessage.of(CHUNK.envelope, worker="w-1", code="raised", text=text, receives=3)

    assert isinstance(sent, ErrorMessage)
    assert sent.text == made.text
    assert sent.text.isprintable()
    assert len(sent.text) <= 500
    assert not text.isprintable() or sent.text == text
    assert decode_report(sent.encode()) == sent


def test_an_error_with_line_ends_and_escapes_cannot_forge_a_line() -> None:
    sent = decode_report(changed(ERROR, text="x\n2026-01-01 INFO done\x1b[2K\u202e"))

    assert isinstance(sent, ErrorMessage)
    assert sent.text == r"x\n2026-01-01 INFO done\x1b[2K\u202e"


@pytest.mark.parametrize("name", ["job", "chunk", "worker", "code", "text", "receives", "other"])
@pytest.mark.parametrize("kind", ["text", "list", "object", "number"])
def test_a_refusal_is_short_whatever_was_sent(name: str, kind: str) -> None:
    value = {
        "text": "y" * 10**6,
        "list": [["z"] * 10] * 10**5,
        "object": {"k" * 10**6: 1},
        "number": 10**4000,
    }[kind]
    with pytest.raises(InvalidMessage) as caught:
        decode_report(changed(ERROR, **{name: value, "k" * 10**6: value}))

    assert len(str(caught.value)) < 400
    assert str(caught.value).isprintable()
    with pytest.raises(InvalidMessage) as caught:
        decode_report(changed(ERROR, **{name: value}))

    assert len(str(caught.value)) < 400
    assert str(caught.value).isprintable()


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"code": "Raised!"}, "code"),
        ({"text": "x" * 501}, "text"),
        ({"text": 5}, "text"),
        ({"text": "\ud83d"}, "text"),
        ({"receives": -1}, "receives"),
        ({"receives": 100}, "receives"),
        ({"worker": ""}, "worker"),
        ({"job": "short"}, "job"),
        ({"colour": "blue"}, "colour"),
    ],
)
def test_a_strange_error_is_refused(changes: dict[str, Any], why: str) -> None:
    with pytest.raises(InvalidMessage, match=why):
        decode_report(changed(ERROR, **changes))


def test_a_report_of_a_kind_to_come_is_left_to_another_release() -> None:
    with pytest.raises(OtherVersion, match="a result of kind 'sum'"):
        decode_report(changed(ERROR, kind="sum"))


@pytest.mark.parametrize("message", [CHUNK, RESULT])
def test_a_missing_or_unknown_field_is_refused_by_name(
    message: ChunkMessage | ResultMessage,
) -> None:
    fields = json.loads(message.encode())
    for name in fields.keys() - {"version"}:
        less = {key: value for key, value in fields.items() if key != name}
        with pytest.raises(InvalidMessage, match=f"'{name}'"):
            type(message).decode(json.dumps(less))
    with pytest.raises(InvalidMessage, match=r"fields \['more'\] are missing or unknown"):
        type(message).decode(changed(message, more=1))


def test_one_kind_of_message_is_not_read_as_the_other() -> None:
    with pytest.raises(InvalidMessage):
        ResultMessage.decode(CHUNK.encode())
    with pytest.raises(InvalidMessage):
        ChunkMessage.decode(RESULT.encode())


BAD_HEX = ["", "0", "g" * 32, "A" * 64, "0" * 31, "0" * 65, "0" * 63 + "\n", None, 0, ["0" * 32]]
BAD_COUNTS = [-1, 1.0, "1", None, True, [1], math.nan]


@pytest.mark.parametrize(
    ("name", "bad"),
    [
        *((name, bad) for name in ("job", "attempt", "plan", "problem") for bad in BAD_HEX),
        *(("chunk", bad) for bad in BAD_COUNTS),
        *(("kind", bad) for bad in ["", "Minimum", "a b", "x" * 33, "../x", "a\n", None, 1]),
    ],
)
def test_a_chunk_messages_faulty_field_is_refused_by_name(name: str, bad: Any) -> None:
    with pytest.raises(InvalidMessage, match=f"^{name} "):
        ChunkMessage.decode(changed(CHUNK, **{name: bad}))


@pytest.mark.parametrize(
    ("name", "bad"),
    [
        *((name, bad) for name in ("job", "attempt", "plan") for bad in BAD_HEX),
        *(("chunk", bad) for bad in BAD_COUNTS),
        *(("best", bad) for bad in [1.5, True, [], {}, "", "a b", "é", "x" * 129]),
        *(("worker", bad) for bad in ["", "two words", "a\n", "é", "x" * 257, None, 5]),
        *(("seconds", bad) for bad in [-1, math.nan, math.inf, -math.inf, "1", None, True]),
    ],
)
def test_a_results_faulty_field_is_refused_by_name(name: str, bad: Any) -> None:
    with pytest.raises(InvalidMessage, match=f"^{name} "):
        ResultMessage.decode(changed(RESULT, **{name: bad}))


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=70),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=4,
)


@given(st.sampled_from([CHUNK, RESULT]), st.data())
def test_a_mutation_is_refused_or_read_as_it_stands(
    message: ChunkMessage | ResultMessage, data: st.DataObject
) -> None:
    name = data.draw(st.sampled_from(sorted(json.loads(message.encode()))))
    text = changed(message, **{name: data.draw(json_values)})

    try:
        read = type(message).decode(text)
    except InvalidMessage:
        return
    assert json.loads(read.encode()) == json.loads(text)


@given(st.sampled_from([CHUNK, RESULT]), st.data())
def test_a_text_cut_short_is_refused(
    message: ChunkMessage | ResultMessage, data: st.DataObject
) -> None:
    text = message.encode()
    length = data.draw(st.integers(0, len(text) - 1))

    with pytest.raises(InvalidMessage):
        type(message).decode(text[:length])


# --- series

KEYS = (Minimum(-1.5, 7).key(), Minimum(0.25, 3).key())
SERIES = ResultMessage(
    job="0" * 32,
    attempt="1" * 16,
    chunk=0,
    plan="2" * 64,
    token="4" * 64,
    best=KEYS[0],
    payload=KEYS,
    worker="w-1",
    seconds=0.5,
)


def test_a_series_comes_back_in_its_order() -> None:
    read = decode_report(SERIES.encode())

    assert read == SERIES
    assert isinstance(read, ResultMessage)
    assert read.register == Best(KEYS[0], KEYS, "w-1")


def test_a_result_with_an_empty_payload_reports_nothing_and_keeps_its_form() -> None:
    empty = replace(SERIES, best=None, payload=())

    assert decode_report(empty.encode()) == empty
    assert empty.register is None
    assert json.loads(empty.encode())["kind"] == "series"


def test_the_key_of_a_result_begins_its_payload() -> None:
    with pytest.raises(InvalidMessage, match="does not begin the payload"):
        replace(SERIES, best=KEYS[1])


def test_the_longest_series_fits_into_a_message() -> None:
    longest = replace(SERIES, payload=KEYS * (MAX_SERIES // 2), worker="w" * 256)

    assert len(longest.encode()) <= MESSAGE_BYTES


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"points": "x"}, "no list"),
        ({"points": ["x y"]}, "a point 'x y' does not match"),
        ({"points": [5]}, "a point 5 does not match"),
        ({"points": [KEYS[0]] * 201}, "at most 200"),
        ({"seconds": -1}, "seconds"),
        ({"worker": ""}, "worker"),
        ({"colour": "blue"}, "colour"),
    ],
)
def test_a_strange_series_is_refused(changes: dict[str, Any], why: str) -> None:
    with pytest.raises(InvalidMessage, match=why):
        decode_report(changed(SERIES, **changes))


# --- several tasks


SEVERAL = replace(CHUNK, kind="sleep", chunk=200, tasks="200-299")


@st.composite
def chunks_of_tasks(draw: st.DrawFn) -> ChunkMessage:
    chunk, count = draw(chunk_messages), draw(st.integers(1, 1000))
    last = chunk.chunk + count - 1
    return replace(chunk, tasks=None if count == 1 else f"{chunk.chunk}-{last}")


def a_row(task: int, *, code: int = 0) -> Row:
    return Row(task=task, exit=code, seconds=0.25, reason="exit" if code else "")


@given(chunks_of_tasks())
def test_a_chunk_of_several_tasks_survives_the_queue(message: ChunkMessage) -> None:
    text = message.encode()

    assert ChunkMessage.decode(text) == message
    assert len(text.encode()) < 1024
    assert json.loads(text)["version"] == (VERSION if message.tasks is None else TASKS_VERSION)
    assert Envelope.peek(text) == message.envelope


def test_a_chunk_of_one_task_is_of_the_older_version() -> None:
    assert CHUNK.task_set == TaskSet.parse("3")
    assert SEVERAL.task_set == TaskSet.parse("200-299")
    assert "tasks" not in json.loads(CHUNK.encode())


@pytest.mark.parametrize(
    "changes",
    [
        {"tasks": "201-299"},
        {"tasks": "200"},
        {"tasks": "200-200"},
        {"tasks": "299-200"},
        {"tasks": "200-299,301"},
        {"tasks": 200},
        {"tasks": None, "version": VERSION},
        {"tasks": "200-1000000"},
        {"version": VERSION},
    ],
)
def test_a_chunk_of_other_tasks_than_it_says_is_refused(changes: dict[str, Any]) -> None:
    with pytest.raises(InvalidMessage):
        ChunkMessage.decode(changed(SEVERAL, **changes))


@given(chunks_of_tasks(), st.data())
def test_rows_of_a_chunk_survive_the_queue_within_its_limit(
    chunk: ChunkMessage, data: st.DataObject
) -> None:
    tasks = list(chunk.task_set)
    failed = data.draw(st.sets(st.sampled_from(tasks), max_size=20))
    rows = [a_row(task, code=int(task in failed)) for task in tasks]

    messages = RowsMessage.of(chunk, reversed(rows), worker="w" * 256)

    assert [row for message in messages for row in message.rows] == rows
    for message in messages:
        text = message.encode()
        assert len(text.encode()) <= MESSAGE_BYTES
        assert decode_report(text) == message
        assert message.whole_chunk == chunk.tasks


ROWS = RowsMessage.of(SEVERAL, [a_row(200), a_row(299, code=1)], worker="w")[0]


@pytest.mark.parametrize(
    "changes",
    [
        {"rows": []},
        {"rows": None},
        {"rows": [[300, 0, 1.0]]},
        {"rows": [[199, 0, 1.0]]},
        {"rows": [[201, 0, 1.0], [200, 0, 1.0]]},
        {"rows": [[200, 0, 1.0], [200, 1, 1.0, "exit"]]},
        {"rows": [[200, 0]]},
        {"rows": {"200": 0}},
        {"tasks": "201-299"},
        {"tasks": None},
        {"token": "x"},
        {"worker": "two words"},
        {"kind": "error"},
        {"colour": "blue"},
    ],
)
def test_rows_that_cannot_be_are_refused(changes: dict[str, Any]) -> None:
    assert decode_report(changed(ROWS)) == ROWS
    with pytest.raises(InvalidMessage):
        decode_report(changed(ROWS, **changes))


def test_rows_of_the_older_version_are_another_releases() -> None:
    with pytest.raises(OtherVersion):
        decode_report(changed(ROWS, version=VERSION))


def test_an_error_of_a_chunk_of_several_tasks_names_them() -> None:
    error = ErrorMessage.of(SEVERAL.envelope, worker="w", code="raised", text="why", receives=1)

    assert error.tasks == "200-299"
    assert json.loads(error.encode())["version"] == TASKS_VERSION
    assert decode_report(error.encode()) == error
    for changes in ({"tasks": "201-299"}, {"tasks": "200"}, {"version": VERSION}):
        with pytest.raises(InvalidMessage):
            decode_report(changed(error, **changes))


# --- what release 0.1 sent

SAMPLES: dict[str, str] = json.loads(
    (Path(__file__).parent / "samples" / "messages.json").read_text()
)


@pytest.mark.parametrize("name", [name for name in SAMPLES if "version 1" not in name])
def test_a_stored_sample_is_read_and_written_byte_for_byte(name: str) -> None:
    text = SAMPLES[name]
    message = ChunkMessage.decode(text) if name.startswith("chunk") else decode_report(text)

    assert message.encode() == text


def test_a_stored_sample_of_version_1_says_whose_it_is() -> None:
    text = SAMPLES["chunk of version 1"]
    with pytest.raises(OtherVersion, match="of version 1"):
        ChunkMessage.decode(text)

    envelope = Envelope.peek(text)

    assert envelope is not None
    assert (envelope.chunk, envelope.token) == (3, None)
