"""A role's credentials, looked for when they are needed, and again while there are none.

boto3 looks once, when a client is made, and asks the instance's metadata service once, for one
second.  Where that service was slow, throttled or not up yet at that moment, such a client never
has credentials, and its program is of no use until it is started again.
"""

from __future__ import annotations

import logging
import os
import threading
import time
import urllib.error
import urllib.request
from typing import TYPE_CHECKING, Any, Final

import botocore.session
from botocore.credentials import Credentials, InstanceMetadataProvider
from botocore.exceptions import BotoCoreError, MetadataRetrievalError, NoCredentialsError
from botocore.utils import InstanceMetadataFetcher, resolve_imds_endpoint_mode

if TYPE_CHECKING:
    from collections.abc import Callable

    from botocore.credentials import ReadOnlyCredentials

logger = logging.getLogger(__name__)

TRIES: Final = 3  #: of each request to the metadata service; one second each, unless set longer
AGAIN_SECONDS: Final = 2.0  #: after a failure, until the next look; calls fail at once meanwhile
_TOKEN_HEADERS: Final = {"X-aws-ec2-metadata-token-ttl-seconds": "60"}
_PROVIDER: Final = "iam-role"


class PatientSession(botocore.session.Session):
    """A session of botocore whose clients find a role's credentials later, if not at first.

    What the environment and the configuration files give is taken when a client is made, as ever.
    """

    _late: LateCredentials | None = None

    def get_credentials(self) -> Any:
        """Return credentials that are there already, or that are looked for at each call."""
        if self._late is not None:
            return self._late
        resolver = self.get_component("credential_provider")
        metadata = [one for one in resolver.providers if one.METHOD == _PROVIDER]
        resolver.providers = [one for one in resolver.providers if one.METHOD != _PROVIDER]
        found = super().get_credentials()
        if found is not None or not metadata or _is_disabled():
            return found
        resolver.providers.append(InstanceMetadataProvider(MetadataFetcher.of(self)))
        self._late = LateCredentials(resolver.load_credentials)
        return self._late


class LateCredentials(Credentials):
    """Credentials that are looked for until they are found; then those that were found.

    Threads may share them.  While they are missing one thread looks at a time, and the others are
    told what it found last.

    Args:
        look: gives credentials of botocore; None: nothing here is configured to give any.
    """

    def __init__(self, look: Callable[[], Any]) -> None:
        self.method = "late"
        self._look = look
        self._lock = threading.Lock()
        self._found: Any = None
        self._failure: BotoCoreError | None = None

    def get_frozen_credentials(self) -> ReadOnlyCredentials:
        """Return the credentials of now.

        Raises:
            NoCredentialsError: if nothing is configured to give any.
            MetadataRetrievalError: if the metadata service gives none now.
        """
        frozen: ReadOnlyCredentials = self._ready().get_frozen_credentials()
        return frozen

    def get_deferred_property(self, property_name: str) -> Callable[[], Any]:
        """Return a function that gives a property once it is needed."""
        return lambda: getattr(self.get_frozen_credentials(), property_name, None)

    @property
    def access_key(self) -> str:  # type: ignore[override]
        """The key's id."""
        return str(self.get_frozen_credentials().access_key)

    @property
    def secret_key(self) -> str:  # type: ignore[override]
        """The key."""
        return str(self.get_frozen_credentials().secret_key)

    @property
    def token(self) -> str | None:  # type: ignore[override]
        """The session's token."""
        return self.get_frozen_credentials().token

    def _ready(self) -> Any:
        if self._found is not None:
            return self._found
        # A first look is waited for; where one has failed, its failure is the answer meanwhile.
        failure = self._failure
        if failure is not None:
            if not self._lock.acquire(blocking=False):
                raise failure
        else:
            self._lock.acquire()
        try:
            if self._found is None:
                self._find()
            return self._found
        finally:
            self._lock.release()

    def _find(self) -> None:
        before = self._failure
        try:
            found = self._look()
            if found is None:
                raise NoCredentialsError
        except BotoCoreError as error:
            self._failure = error
            if before is None:
                logger.warning(
                    "no credentials were found, looking again at each call: %s",
                    error,
                    extra={"action": "credentials.missing"},
                )
            raise
        if before is not None:
            logger.info(
                "credentials were found: %s", found.method, extra={"action": "credentials.found"}
            )
        self._found, self._failure = found, None


class MetadataFetcher(InstanceMetadataFetcher):
    """The role's credentials from the metadata service, or why there are none.

    botocore's own gives nothing where the service gives nothing, and then credentials that still
    hold are lost when they are renewed early: it keeps them where this raises.

    Args:
        timeout: of each request, in seconds.
        num_attempts: of each request.
        monotonic: seconds by a clock that never runs backwards.
        options: see `botocore.utils.InstanceMetadataFetcher`.
    """

    def __init__(
        self,
        *,
        timeout: int,
        num_attempts: int = TRIES,
        monotonic: Callable[[], float] = time.monotonic,
        **options: Any,
    ) -> None:
        super().__init__(timeout=timeout, num_attempts=num_attempts, **options)
        self._seconds = timeout
        self._monotonic = monotonic
        self._failure = ""
        self._again_at = float("-inf")

    @classmethod
    def of(cls, session: botocore.session.Session) -> MetadataFetcher:
        """Return a fetcher by the settings of a session."""
        setting = session.get_config_variable
        return cls(
            timeout=setting("metadata_service_timeout"),
            num_attempts=max(TRIES, int(setting("metadata_service_num_attempts"))),
            user_agent=session.user_agent(),
            config={
                "ec2_metadata_service_endpoint": setting("ec2_metadata_service_endpoint"),
                "ec2_metadata_service_endpoint_mode": resolve_imds_endpoint_mode(session),
                "ec2_metadata_v1_disabled": setting("ec2_metadata_v1_disabled"),
            },
        )

    def retrieve_iam_role_credentials(self) -> dict[str, Any]:
        """Return the credentials as botocore's own fetcher does.

        Raises:
            MetadataRetrievalError: if there are none now.
        """
        if self._monotonic() < self._again_at:
            raise MetadataRetrievalError(error_msg=self._failure)
        try:
            found: dict[str, Any] = super().retrieve_iam_role_credentials()
        except (BotoCoreError, ValueError) as error:
            raise self._failed(str(error)) from error
        if not found:
            raise self._failed(self._why())
        return found

    def _failed(self, why: str) -> MetadataRetrievalError:
        self._failure = f"the metadata service at {self.get_base_url()} {why}"
        self._again_at = self._monotonic() + AGAIN_SECONDS
        return MetadataRetrievalError(error_msg=self._failure)

    def _why(self) -> str:
        """Ask once more for what comes first, to say what is wrong."""
        address = f"{self.get_base_url().rstrip('/')}/latest/api/token"
        request = urllib.request.Request(  # noqa: S310 - the service's own address
            address, method="PUT", headers=_TOKEN_HEADERS
        )
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        try:
            with opener.open(request, timeout=self._seconds):
                return "gave no role's credentials; give the instance a role"
        except urllib.error.HTTPError as error:
            with error:
                return f"answered {error.code} {error.reason}"
        except TimeoutError:
            return f"did not answer within {self._seconds:g} s"
        except OSError as error:
            return f"did not answer: {getattr(error, 'reason', error)}"


def _is_disabled() -> bool:
    return os.environ.get("AWS_EC2_METADATA_DISABLED", "").lower() == "true"
