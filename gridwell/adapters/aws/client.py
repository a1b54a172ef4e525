"""How we talk to AWS: the client's patience, and its errors turned into ours.

botocore itself tries a call again that was throttled, timed out or met a 5xx, with growing
pauses; the adapters add no loops of their own around that, since retries of retries multiply.
"""

from __future__ import annotations

import threading
from contextlib import contextmanager
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Any, Final

import boto3
from botocore.config import Config
from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    CredentialRetrievalError,
    MetadataRetrievalError,
    NoCredentialsError,
    NoRegionError,
    ParamValidationError,
    PartialCredentialsError,
    ProfileNotFound,
    TokenRetrievalError,
    UnauthorizedSSOTokenError,
)
from botocore.parsers import ResponseParserError

from gridwell.adapters.aws.credentials import PatientSession
from gridwell.adapters.system_clock import SERVICE_CLOCK
from gridwell.engine.errors import ServiceBusy, ServiceDenied, ServiceError, Throttled

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from gridwell.adapters.system_clock import ServiceClock

CONNECT_SECONDS: Final = 3
READ_SECONDS: Final = 30  #: longer than SQS's longest poll (20 s)
TRIES: Final = 4  #: of one call, the first included
FEW_TRIES: Final = 2  #: where the caller tries again by itself, and must not hang in a call
CONNECTIONS: Final = 64  #: kept open per client; more threads than that open and close their own

_TOO_MANY_REQUESTS = 429
_SERVER_FAULT = 500
_THROTTLED = frozenset(
    {
        "BandwidthLimitExceeded",
        "KmsThrottled",
        "LimitExceededException",
        "ProvisionedThroughputExceededException",
        "RequestLimitExceeded",
        "RequestThrottled",
        "RequestThrottledException",
        "SlowDown",
        "ThrottledException",
        "Throttling",
        "ThrottlingException",
        "TooManyRequestsException",
    }
)
_BUSY = frozenset(
    {
        "OverLimit",
        "PriorRequestNotComplete",
        "RequestTimeout",
        "RequestTimeoutException",
        "ServiceUnavailable",
        "TransactionInProgressException",
        "TransactionConflictException",
    }
)
_MISSING = frozenset(
    {
        "AWS.SimpleQueueService.NonExistentQueue",
        "NoSuchBucket",
        "QueueDoesNotExist",
        "ResourceNotFoundException",
    }
)
_CREDENTIALS = frozenset(
    {
        "AuthFailure",
        "ExpiredToken",
        "ExpiredTokenException",
        "IncompleteSignature",
        "InvalidAccessKeyId",
        "InvalidClientTokenId",
        "MissingAuthenticationToken",
        "MissingAuthenticationTokenException",
        "RequestExpired",
        "RequestTimeTooSkewed",
        "SignatureDoesNotMatch",
        "UnrecognizedClientException",
    }
)
_FORBIDDEN = frozenset(
    {
        "AccessDenied",
        "AccessDeniedException",
        "AllAccessDisabled",
        "KmsAccessDenied",
        "OptInRequired",
        "UnauthorizedOperation",
    }
)
_UNUSABLE = (
    NoCredentialsError,
    NoRegionError,
    PartialCredentialsError,
    ProfileNotFound,
    TokenRetrievalError,
    UnauthorizedSSOTokenError,
)


def client(service: str, *, tries: int = TRIES) -> Any:
    """A client of an AWS service that gives up on a silent network in seconds.

    Region, credentials and endpoint come from where every AWS tool takes them: the environment,
    the configuration files, the instance's metadata.  The last is asked at the first call, and
    again at the next while it gives no credentials.  A client may be shared between threads.

    Args:
        service: as boto3 names it, like ``sqs``.
        tries: of one call; it lasts up to 33 s for each where nobody answers.

    Raises:
        ServiceDenied: if no region is configured.
    """
    config = Config(
        connect_timeout=CONNECT_SECONDS,
        read_timeout=READ_SECONDS,
        retries={"mode": "standard", "total_max_attempts": tries},
        max_pool_connections=CONNECTIONS,
        tcp_keepalive=True,
        # Signed addresses must be of version 4, which boto3 does not take by itself everywhere.
        signature_version="s3v4" if service == "s3" else None,
    )
    if boto3.DEFAULT_SESSION is None:
        boto3.setup_default_session(botocore_session=PatientSession())
    with translated(f"the AWS service {service}"):
        made = boto3.client(service, config=config)  # type: ignore[call-overload]
    _keep_time(made, SERVICE_CLOCK)
    return made


def _keep_time(made: Any, clock: ServiceClock) -> None:
    """Let a clock learn from each reply that a client gets."""
    asked = threading.local()

    def before_send(**_: Any) -> None:
        asked.at = clock.monotonic()

    def response_received(response_dict: Mapping[str, Any] | None = None, **_: Any) -> None:
        headers = {} if response_dict is None else response_dict.get("headers", {})
        date = _seconds(headers.get("date", ""))
        if date is not None:
            answered = clock.monotonic()
            clock.hear(date, asked=getattr(asked, "at", answered), answered=answered)

    made.meta.events.register("before-send", before_send)
    made.meta.events.register("response-received", response_received)


def _seconds(date: str) -> float | None:
    """Return an HTTP date as seconds since 1970; None if it is none."""
    try:
        return parsedate_to_datetime(date).timestamp()
    except (TypeError, ValueError):
        return None


@contextmanager
def translated(
    resource: str, codes: Mapping[str, type[ServiceError]] | None = None
) -> Iterator[None]:
    """Raise botocore's errors as ours.

    Args:
        resource: what the call is about, for the message: like ``the queue gridwell-chunks``.
        codes: error codes that mean something of their own to this call.

    Raises:
        Throttled: too many calls.
        ServiceBusy: a timeout, a lost connection or a fault of the service.
        ServiceDenied: credentials, permissions, a missing resource or a request refused for good.
    """
    try:
        yield
    except ClientError as error:
        raise _of_reply(error, resource, codes or {}) from error
    except ParamValidationError:
        raise  # a mistake in our code, seen before anything was sent
    except _UNUSABLE as error:
        raise ServiceDenied(
            f"{resource} cannot be asked: {error}; set AWS_DEFAULT_REGION and credentials, or run "
            "on an instance with a role"
        ) from error
    except (CredentialRetrievalError, MetadataRetrievalError) as error:
        raise ServiceBusy(
            f"{resource} cannot be asked: {error}; credentials are looked for again at the next "
            "call: wait, or set them in the environment where there is no such service"
        ) from error
    # moto's plain 500 page is no error that the parser knows.
    except (BotoCoreError, ResponseParserError) as error:
        raise ServiceBusy(f"{resource} did not answer: {error}") from error


def code_of(error: ClientError) -> str:
    """AWS's name for an error."""
    return str(error.response.get("Error", {}).get("Code", ""))


def _of_reply(
    error: ClientError, resource: str, codes: Mapping[str, type[ServiceError]]
) -> ServiceError:
    code = code_of(error)
    words = f"{resource}: {error}"
    said = str(error.response.get("Error", {}).get("Message", ""))
    if code in codes:
        return codes[code](words, code=code, message=said)
    status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
    if code in _THROTTLED or status == _TOO_MANY_REQUESTS:
        return Throttled(words, code=code, message=said)
    if code in _BUSY or status >= _SERVER_FAULT:
        return ServiceBusy(words, code=code, message=said)
    return ServiceDenied(f"{words}; {_remedy(code)}", code=code, message=said)


def _remedy(code: str) -> str:
    if code in _MISSING or ".NotFound" in code:
        return "create the stack, or correct the name, account and region"
    if code in _CREDENTIALS:
        return "renew the credentials and check the machine's clock"
    if code in _FORBIDDEN:
        return "allow the action in the role's policy"
    return "the same request will be refused again"
