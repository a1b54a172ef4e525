"""Access and rate limits, from environment variables; only `web_tier.composition` reads them."""

from __future__ import annotations

import re
from typing import Annotated, Any, Final, Literal

from pydantic import Field, ValidationInfo, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from gridwell.access.addresses import is_loopback
from gridwell.access.quota import Quota
from web_tier.auth.route_rules import RouteKind

OFF: Final = "off"
_RATE: Final = r"^[1-9][0-9]{0,8}/(second|minute|hour|day)$"
_NAME: Final = r"\[[0-9a-f:.]+\]|[a-z0-9_]([a-z0-9_.-]*[a-z0-9_])?"
_USUAL_RATES: Final = {RouteKind.SUBMITS: "120/minute", RouteKind.READS: "1200/minute"}
#: The day's is ten hours of one core, about half a dollar.
_USUAL: Final = Quota(unfinished=100, job_seconds=600.0, day_seconds=36_000.0)


class AccessSettings(BaseSettings):
    """Settings of the address to listen on, of access, and of each client's limits.

    A limit that is not set has its default value with keys, and does not exist while access is
    open.
    """

    model_config = SettingsConfigDict(env_prefix="GRIDWELL_", extra="ignore", frozen=True)

    host: str = Field(
        "127.0.0.1",
        description="the address to listen on; other than loopback only with `ACCESS=keys`",
    )
    access: Literal["open", "keys"] = Field(
        "open",
        validate_default=True,
        description="`open`: all callers on loopback; `keys`: callers with an access key",
    )
    hosts: str = Field(
        "",
        validate_default=True,
        description=(
            "names and addresses in clients' URLs, with commas; required where `HOST` is not "
            "loopback"
        ),
    )
    proxies: int = Field(
        0, ge=0, le=8, description="your proxies in front, whose forwarded headers count"
    )
    submit_rate: str | None = Field(
        None,
        description=(
            f"submissions and estimates of a client; unset: {_USUAL_RATES[RouteKind.SUBMITS]} with "
            "keys, else `off`"
        ),
    )
    read_rate: str | None = Field(
        None,
        description=(
            f"other requests of a client; unset: {_USUAL_RATES[RouteKind.READS]} with keys, else "
            "`off`"
        ),
    )
    failure_rate: str = Field("20/minute", pattern=_RATE, description="wrong keys from one address")
    max_unfinished: Annotated[int, Field(ge=1)] | Literal["off"] | None = Field(
        None,
        description=(
            f"unfinished jobs of a client; unset: {_USUAL.unfinished} with keys, else `off`"
        ),
    )
    max_job_seconds: Annotated[float, Field(gt=0)] | Literal["off"] | None = Field(
        None,
        description=(
            f"estimated seconds of one job; unset: {_USUAL.job_seconds:g} with keys, else `off`"
        ),
    )
    daily_seconds: Annotated[float, Field(gt=0)] | Literal["off"] | None = Field(
        None,
        description=(
            f"estimated seconds of a client's jobs of a UTC day; unset: {_USUAL.day_seconds:g} "
            "with keys, else `off`"
        ),
    )

    @field_validator("access")
    @classmethod
    def _open_to_this_machine_only(cls, value: str, info: ValidationInfo) -> str:
        host = info.data.get("host")  # absent if it is faulty itself
        if value == "open" and host is not None and not is_loopback(host):
            raise ValueError(
                f"open access is for loopback only, and GRIDWELL_HOST is {host!r}: whoever reaches "
                "it could spend your money; set GRIDWELL_ACCESS=keys and make keys by `gridwell "
                "keys create`, or listen on 127.0.0.1"
            )
        return value

    @field_validator("hosts")
    @classmethod
    def _are_names(cls, value: str) -> str:
        wrong = [name for name in _names(value) if re.fullmatch(_NAME, name) is None]
        if wrong:
            raise ValueError(
                f"{wrong[0]!r} is no name of a host; give names such as grid.example.org, without "
                "scheme and port, with commas between them"
            )
        return value

    @field_validator("hosts")
    @classmethod
    def _has_a_name_where_others_reach_it(cls, value: str, info: ValidationInfo) -> str:
        host = info.data.get("host")  # absent, as `access`, if it is faulty itself
        if (
            host is not None
            and "access" in info.data
            and not is_loopback(host)
            and not _names(value)
        ):
            raise ValueError(
                f"GRIDWELL_HOST is {host!r}, so others reach this server, and it has no name to "
                "be reached by; set GRIDWELL_HOSTS to the names and addresses in its clients' "
                "URLs, such as grid.example.org,10.0.0.7 (/healthz and /readyz answer to any)"
            )
        return value

    @field_validator("submit_rate", "read_rate")
    @classmethod
    def _is_rate(cls, value: str | None) -> str | None:
        if value not in (None, OFF) and re.fullmatch(_RATE, str(value)) is None:
            raise ValueError("a rate is such as 100/minute (second, minute, hour or day), or off")
        return value

    @property
    def names(self) -> frozenset[str]:
        """The names by which the server may be asked for, besides this machine's."""
        return frozenset(_names(self.hosts))

    @property
    def rates(self) -> dict[RouteKind, str]:
        """The rate limits of each client."""
        given = {RouteKind.SUBMITS: self.submit_rate, RouteKind.READS: self.read_rate}
        chosen = {kind: self._or_usual(rate, _USUAL_RATES[kind]) for kind, rate in given.items()}
        return {kind: rate for kind, rate in chosen.items() if rate is not None}

    @property
    def quota(self) -> Quota:
        """The quota of each client."""
        return Quota(
            unfinished=self._or_usual(self.max_unfinished, _USUAL.unfinished),
            job_seconds=self._or_usual(self.max_job_seconds, _USUAL.job_seconds),
            day_seconds=self._or_usual(self.daily_seconds, _USUAL.day_seconds),
        )

    def _or_usual(self, given: Any, usual: Any) -> Any:
        """Return a limit as it is set; unset, the usual one with keys, and none without."""
        if given is None:
            return usual if self.access == "keys" else None
        return None if given == OFF else given


def _names(text: str) -> list[str]:
    return [name.strip().lower() for name in text.split(",") if name.strip()]
