"""Strict reader and writer of fault plans as JSON; an error lists all mistakes of a plan.

A fault that never happens because its operation is misspelt would make a test prove nothing.
"""

from __future__ import annotations

import difflib
import json
import math
from functools import cache
from typing import TYPE_CHECKING, Any, Final

from botocore.exceptions import UnknownServiceError
from botocore.loaders import Loader

from gridwell.engine.errors import GridwellError
from gridwell.local_stack.faults.kinds import KINDS
from gridwell.local_stack.faults.plan import FaultPlan, PlannedFault

if TYPE_CHECKING:
    from collections.abc import Iterable

_FIELDS: Final = ("kind", "service", "operation", "resource", "program")
_NUMBERS: Final = ("probability", "nth", "times", "seconds")
LONGEST_SECONDS: Final = 3600.0


class InvalidFaultPlan(GridwellError):  # noqa: N818 - see gridwell.engine.errors.InvalidJob
    """A fault plan that is not valid; the message lists every mistake."""


def encode(plan: FaultPlan) -> dict[str, Any]:
    """Return a plan as JSON data, without what is not set."""
    return {"seed": plan.seed, "faults": [_encoded(fault) for fault in plan.faults]}


def _encoded(fault: PlannedFault) -> dict[str, Any]:
    values = {name: getattr(fault, name) for name in (*_FIELDS, *_NUMBERS)}
    if fault.seconds is not None:
        values["seconds"] = list(fault.seconds)
    return {name: value for name, value in values.items() if value is not None}


def decode(text: str | bytes) -> FaultPlan:
    """Return the plan of a JSON text.

    Raises:
        InvalidFaultPlan: the text is no valid plan; the message lists every mistake.
    """
    try:
        data = json.loads(text)
    except ValueError as error:
        raise InvalidFaultPlan(f"a fault plan must be JSON: {error}") from error
    if not isinstance(data, dict):
        raise InvalidFaultPlan(
            f"a fault plan is an object with 'seed' and 'faults', not {_shown(data)}"
        )
    mistakes = _unknown_fields(data, ("seed", "faults"), "the plan")
    seed, faults = data.get("seed", 0), data.get("faults")
    if not _is_whole(seed, 0):
        mistakes.append(f"seed must be a whole number from 0, not {_shown(seed)}")
    if not isinstance(faults, list):
        mistakes.append(f"faults must be a list, not {_shown(faults)}")
        faults = []
    for number, fault in enumerate(faults):
        mistakes += [f"faults[{number}]: {mistake}" for mistake in _mistakes(fault)]
    if mistakes:
        raise InvalidFaultPlan("the fault plan is not valid:\n  " + "\n  ".join(mistakes))
    return FaultPlan(seed=seed, faults=tuple(_fault(fault) for fault in faults))


def _fault(data: dict[str, Any]) -> PlannedFault:
    seconds = data.get("seconds")
    if seconds is None:
        seconds = KINDS[data["kind"]].seconds
    elif not isinstance(seconds, list):
        seconds = (seconds, seconds)
    values = {name: data[name] for name in (*_FIELDS, *_NUMBERS) if name in data}
    # "The nth call" is one call, unless more are asked for.
    times = data.get("times", 1 if "nth" in data else None)
    span = None if seconds is None else (float(seconds[0]), float(seconds[1]))
    return PlannedFault(**{**values, "times": times, "seconds": span})


def _mistakes(data: Any) -> list[str]:
    if not isinstance(data, dict):
        return [f"must be an object, not {_shown(data)}"]
    found = _unknown_fields(data, (*_FIELDS, *_NUMBERS), "a fault")
    found += [
        f"{name} must be a text, not {_shown(data[name])}"
        for name in _FIELDS
        if name in data and not (isinstance(data[name], str) and data[name])
    ]
    kind = data.get("kind")
    if kind is None:
        return [*found, "kind is missing: say what shall happen"]
    if kind not in KINDS:
        return [*found, f"kind {_shown(kind)} is unknown{_like(kind, KINDS)}"]
    return [*found, *_wrong_numbers(data), *_wrong_seconds(data), *_wrong_operation(data)]


def _wrong_numbers(data: dict[str, Any]) -> list[str]:
    found = []
    if ("probability" in data) == ("nth" in data):
        found.append("give either probability (of each call) or nth (the nth call)")
    if "probability" in data:
        value = data["probability"]
        if not (_is_number(value) and 0 < value <= 1):
            found.append(f"probability must be more than 0 and at most 1, not {_shown(value)}")
    found += [
        f"{name} must be a whole number from 1, not {_shown(data[name])}"
        for name in ("nth", "times")
        if name in data and not _is_whole(data[name], 1)
    ]
    return found


def _wrong_seconds(data: dict[str, Any]) -> list[str]:
    if "seconds" not in data:
        return []
    seconds = data["seconds"]
    if KINDS[data["kind"]].seconds is None:
        return [f"'{data['kind']}' takes no seconds"]
    pair = seconds if isinstance(seconds, list) else [seconds, seconds]
    if (
        len(pair) == 2  # noqa: PLR2004 - a pair
        and all(_is_number(value) and 0 <= value <= LONGEST_SECONDS for value in pair)
        and pair[0] <= pair[1]
    ):
        return []
    allowed = f"a number or [least, most], from 0 to {LONGEST_SECONDS:g}"
    return [f"seconds must be {allowed}, not {_shown(seconds)}"]


def _wrong_operation(data: dict[str, Any]) -> list[str]:
    service, operation = data.get("service"), data.get("operation")
    possible = KINDS[data["kind"]].operations
    if possible is not None:
        names = frozenset[str]().union(*possible.values())
        if service is not None and service not in possible:
            return [f"'{data['kind']}' happens in {_listed(possible)}, not in {_shown(service)}"]
        if operation is not None and operation not in names:
            return [f"'{data['kind']}' happens at {_listed(names)}, not at {_shown(operation)}"]
    elif service is None and operation is not None:
        return ["operation needs its service, like 'sqs'"]
    elif isinstance(service, str):
        return _unknown(service, operation)
    return []


def _unknown(service: str, operation: Any) -> list[str]:
    known = operations(service)
    if not known:
        return [f"service {_shown(service)} is unknown; AWS's own short name is meant, like 'sqs'"]
    if operation is not None and operation not in known:
        return [f"{service} has no operation {_shown(operation)}{_like(operation, known)}"]
    return []


@cache
def operations(service: str) -> frozenset[str]:
    """Return the names of a service's operations, or none if there is no such service."""
    try:
        return frozenset(Loader().load_service_model(service, "service-2")["operations"])
    except UnknownServiceError:
        return frozenset()


def _unknown_fields(data: dict[str, Any], known: Iterable[str], owner: str) -> list[str]:
    return [
        f"{owner} has no field {_shown(name)}{_like(name, known)}"
        for name in data
        if name not in known
    ]


def _like(name: Any, known: Iterable[str]) -> str:
    near = difflib.get_close_matches(str(name), known, n=1)
    return f"; did you mean '{near[0]}'?" if near else f"; there are {_listed(known)}"


def _listed(names: Iterable[str]) -> str:
    return ", ".join(sorted(names))


def _shown(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 60 else text[:57] + "..."  # noqa: PLR2004 - a line of a message


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value)


def _is_whole(value: Any, least: int) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= least
