"""Errors the tiers raise and catch, named for what the catcher should do.

* GridwellError
  x InvalidJob          the client asked for something we cannot compute    (HTTP 422)
    + HopelessJob       well formed, but no computation can answer it       (HTTP 422)
  x InvalidAccess       a key cannot be made like this                      (usage)
  x OverQuota           a client has had its share for now                  (HTTP 429)
  x InvalidMessage      a queue or a store gave us bytes we cannot read     (dead letter)
    + OtherVersion      another release wrote them, and can read them       (leave them to it)
  x ServiceError        AWS or memcached did not answer as it should
    + ServiceBusy       throttled or briefly away; the same call may succeed  (retry)
      - NoCapacity      EC2 has no machine for us now; try another, or later
      - Throttled       AWS wants fewer calls from us                        (call less)
    + ServiceDenied     credentials, permissions or a missing resource       (stop, tell)
      - ObjectDenied    the store refuses one object; others may be well     (its job alone)
    + WrongState        the resource is not in a state that allows the call  (look again)
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from gridwell.engine.printable import excerpt, printable_lines

POINTER: Final = 200  #: characters of a fault's pointer
DETAIL: Final = 400  #: characters of its detail: a number of thousands of digits helps nobody
MOST_FAULTS: Final = 100  #: of one input; its readers stop at 20 of a kind


class GridwellError(Exception):
    """Anything that Gridwell itself raises.

    Its text may quote what came from outside, so it is printable but for line ends, which the
    output of a program has; logs and commands mark or escape these.
    """

    def __str__(self) -> str:
        return printable_lines(super().__str__())


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing wrong with an input: where it is, and what to do about it.

    Both may quote the input, so they are cut, printable, and without the secret of a key.
    """

    pointer: str  #: JSON pointer (RFC 6901) into the request's body
    detail: str  #: names the thing, the value and the remedy

    def __post_init__(self) -> None:
        object.__setattr__(self, "pointer", excerpt(self.pointer, POINTER))
        object.__setattr__(self, "detail", excerpt(self.detail, DETAIL))


class InvalidJob(GridwellError):  # noqa: N818 - named for what it is, like KeyError's kin in EC2
    """The client asked for something we cannot compute.

    The faults of an input are reported together, so that one round trip is enough to mend it: the
    first `MOST_FAULTS` of them, and how many there are beyond.

    Attributes:
        code: a stable word for programs; an error with one of its own is its first fault alone.
    """

    code: str = "invalid_job"

    def __init__(self, *faults: Fault) -> None:
        if len(faults) > MOST_FAULTS:
            rest = Fault("", f"{len(faults) - MOST_FAULTS} more faults are not listed")
            faults = (*faults[:MOST_FAULTS], rest)
        self.faults = faults
        super().__init__("; ".join(f"{fault.pointer}: {fault.detail}" for fault in faults))

    @property
    def summary(self) -> str:
        """The first fault, and how many there are beyond."""
        first, *others = self.faults
        if self.code != InvalidJob.code:
            return first.detail
        more = f" (and {len(others)} more fault{'s' * (len(others) > 1)})" if others else ""
        return f"{first.pointer or 'the body'}: {first.detail}{more}"


class HopelessJob(InvalidJob):
    """What is asked is well formed, and no computation can answer it.

    Args:
        detail: why, and the remedy.
        code: a stable word for programs.
    """

    def __init__(self, detail: str, *, code: str) -> None:
        self.code = code
        super().__init__(Fault("", detail))


class InvalidAccess(GridwellError):  # noqa: N818 - see InvalidJob
    """An operator asked for a key that cannot be."""


class OverQuota(GridwellError):  # noqa: N818 - see InvalidJob
    """A client has had its share for now.

    Args:
        detail: what is used up, and the remedy.
        code: a stable word for programs.
        retry_after: seconds after which asking again may help.
    """

    def __init__(self, detail: str, *, code: str, retry_after: int) -> None:
        self.code = code
        self.retry_after = retry_after
        super().__init__(detail)


class InvalidMessage(GridwellError):  # noqa: N818 - see InvalidJob
    """A queue or a store gave us bytes that we cannot read."""


class OtherVersion(InvalidMessage):
    """Another release wrote these bytes: leave them to one that can read them."""


class ServiceError(GridwellError):
    """AWS or memcached did not answer as it should.

    Args:
        words: for people.
        code: the service's own name for the error, where it gave one.
        message: the service's own words.
    """

    def __init__(self, *words: object, code: str = "", message: str = "") -> None:
        self.code = code
        self.message = message
        super().__init__(*words)


class ServiceBusy(ServiceError):  # noqa: N818 - see InvalidJob
    """Throttled or briefly away: the same call may succeed later."""


class NoCapacity(ServiceBusy):
    """EC2 has no machine for us at the moment: try another candidate, or later."""


class Throttled(ServiceBusy):
    """We call AWS too often: make no more of these calls for a while."""


class ServiceDenied(ServiceError):  # noqa: N818 - see InvalidJob
    """Credentials, permissions or a missing resource: retrying cannot help."""


class ObjectDenied(ServiceDenied):
    """The store refuses one object: archived, encrypted by a lost key, or forbidden.

    Args:
        key: the object's.
        cause: what the store said.
    """

    def __init__(self, key: str, cause: ServiceDenied) -> None:
        self.key = key
        said = cause.code or str(cause)
        super().__init__(
            f"the store refuses the object {key} ({said}); restore it, or allow access to it",
            code=cause.code,
        )


class WrongState(ServiceError):  # noqa: N818 - see InvalidJob
    """The resource is not in a state that allows the call: look again before the next try."""
