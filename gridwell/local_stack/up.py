"""Everything on one machine: the region, the stack, a baked image, and the tiers as processes."""

from __future__ import annotations

import json
import logging
import socket
import subprocess
import time
import urllib.error
import urllib.request
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import boto3

from gridwell.deploy.cloudformation import create_or_update, environment_of
from gridwell.engine.errors import ServiceError
from gridwell.local_stack.faults.calling_process import MARK, PROGRAM
from gridwell.local_stack.faults.client import RemoteFaults
from gridwell.local_stack.memcached import Memcached, start_memcached
from gridwell.local_stack.processes import Child, start
from gridwell.local_stack.program_environment import aws_environment, environment, python
from gridwell.local_stack.region.kill_endpoint import PATH as KILL_PATH
from gridwell.local_stack.restart_policy import Life
from gridwell.local_stack.state import Running, StateFolder
from gridwell.program.logs import FORMAT, TEXT
from user_data.render import encoded, worker_user_data

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from gridwell.local_stack.faults.plan import FaultPlan

logger = logging.getLogger(__name__)

FLEET = "gridwell"
REGION = "us-east-1"
_READY_SECONDS = 60.0
_LOOK_SECONDS = 0.05
_BUILDER = 1  #: a machine more than the fleet's, to bake on

#: Shorter than on AWS, so that a fleet comes and goes home in seconds.
WORKER_SETTINGS = {
    "GRIDWELL_POLL_SECONDS": "2",
    "GRIDWELL_IDLE_POLLS": "3",
    "GRIDWELL_MINIMUM_UPTIME_SECONDS": "5",
    "GRIDWELL_CORES": "1",
    FORMAT: TEXT,
}
TIER_SETTINGS = {
    "GRIDWELL_POLL_SECONDS": "2",
    "GRIDWELL_TICK_SECONDS": "0.5",
    "GRIDWELL_BOOT_GRACE_SECONDS": "60",
    "GRIDWELL_LEASE_SECONDS": "5",
    "GRIDWELL_CAPACITY_RETRY_SECONDS": "5",
    "GRIDWELL_CHUNKS_PER_INSTANCE": "2",
    FORMAT: TEXT,
}


@dataclass(slots=True)
class LocalStack:
    """A whole Gridwell on 127.0.0.1.

    Args:
        state: the folder of images, instances and logs; hold it while this lives.
        port: of the web tier.
        max_instances: the fleet's cap.
        report: receives a sentence about each step.
        faults: the plan to follow once all is up; None: no faults, and none can be planned.
        given: settings that stand over ours, by the names of their environment variables.
    """

    state: StateFolder
    port: int
    max_instances: int
    report: Callable[[str], None]
    faults: FaultPlan | None = None
    given: Mapping[str, str] = field(default_factory=dict)
    _region: Child | None = None
    _memcached: Memcached | None = None
    _tiers: dict[str, Child] = field(default_factory=dict)
    _lives: dict[str, Life] = field(default_factory=dict)
    _due: dict[str, float] = field(default_factory=dict)  #: when what has ended starts again
    _commands: dict[str, tuple[list[str], dict[str, str]]] = field(default_factory=dict)

    def up(self) -> Running:
        """Start everything; returns when the web tier answers.

        Raises:
            ServiceError: a program did not start; the message names what to look at.
        """
        _check_free(self.port)
        region = self._start_region()
        endpoint, access_key = region["endpoint"], region["access_key"]
        self._memcached = self._start_memcached()
        self.report(f"memcached answers on {self._memcached.address}")
        settings = self._create_stack(endpoint, access_key, region["base_image"])
        # The mark tells faults which programs are the stack's own.
        marked = settings | {MARK: str(self.state.path)}
        env = environment(endpoint=endpoint, region=REGION, access_key=access_key, settings=marked)
        for tier, command in {
            "web": python("web_tier", "serve"),
            "collector": python("web_tier", "collect"),
            "autoscaler": python("autoscaler", "run"),
        }.items():
            self._commands[tier] = command, env
            self._lives[tier] = Life(began=time.monotonic())
            self._start_tier(tier)
        running = Running(
            url=f"http://127.0.0.1:{self.port}",
            endpoint=endpoint,
            memcached=self._memcached.address,
            max_instances=self.max_instances,
            environment=aws_environment(endpoint=endpoint, region=REGION, access_key=access_key)
            | settings,
        )
        self._await_web(running.url)
        self._plan_faults(endpoint, access_key)
        self.state.announce(running)
        self.report(f"the web tier answers on {running.url}")
        return running

    def look_after(self) -> None:
        """Start again what has ended by itself, as systemd would; call it again and again.

        Raises:
            ServiceError: the region has ended.  All it held was in its memory, so there is
                nothing to start again.
        """
        if self._region is not None and not self._region.is_running:
            raise ServiceError(
                f"the local region has ended (status {self._region.process.returncode}) and all "
                f"its jobs with it; its log ends with:\n{self._region.last_lines()}"
            )
        if self._memcached is not None and not self._memcached.child.is_running:
            self._memcached = self._start_memcached()
            self.report("memcached had ended and was started again")
        for tier, child in list(self._tiers.items()):
            if not child.is_running:
                self._revive(tier, child, time.monotonic())

    def _revive(self, tier: str, child: Child, now: float) -> None:
        if tier not in self._due:
            child.clear()
            pause, self._lives[tier] = self._lives[tier].after(now)
            self._due[tier] = now + pause
            again = "started again" if not pause else f"to be started again in {pause:g} s"
            look = "" if not pause else f"; look at {child.log}"
            self.report(f"the {tier} had ended ({child.process.returncode}); {again}{look}")
        if now >= self._due[tier]:
            del self._due[tier]
            self._start_tier(tier)

    def down(self) -> None:
        """End everything, the tiers first; images stay for the next time."""
        for child in self._tiers.values():
            child.process.terminate()  # all at once: each may take a long poll to hear it
        for child in self._tiers.values():
            child.stop()
        self._tiers.clear()
        if self._region is not None:
            self._region.stop()
        if self._memcached is not None:
            self._memcached.stop()

    def _start_memcached(self) -> Memcached:
        return start_memcached(
            log=self.state.logs / "memcached.log", socket_file=self.state.cache_socket
        )

    def _start_region(self) -> dict[str, Any]:
        self._region = start(
            "region",
            python(
                "gridwell.local_stack.region_server",
                f"--state={self.state.path}",
                f"--region={REGION}",
                f"--max-running={self.max_instances + _BUILDER}",
                *(["--faults"] if self.faults is not None else []),
            ),
            env=environment(region=REGION, settings={}),
            log=self.state.logs / "region.log",
            read_output=True,
        )
        output = self._region.process.stdout
        line = b"" if output is None else output.readline()
        if not line:
            raise ServiceError(
                f"the local region did not start; its log ends with:\n{self._region.last_lines()}"
            )
        ready: dict[str, Any] = json.loads(line)
        self.report(f"the region {REGION} is up at {ready['endpoint']}")
        return ready

    def _plan_faults(self, endpoint: str, access_key: str) -> None:
        # Only now: setting up is not what they are to test.
        if self.faults is not None:
            RemoteFaults(endpoint, access_key=access_key).put(self.faults)
            self.report(
                f"FAULTS ARE ON: {len(self.faults.faults)} planned, seed {self.faults.seed};"
                " `gridwell local faults` counts and changes them"
            )

    def _create_stack(self, endpoint: str, access_key: str, base_image: str) -> dict[str, str]:
        """Create the stack, bake an image for it, and update the stack with that image.

        Returns:
            The settings of the stack's programs.
        """
        client = boto3.client(
            "cloudformation",
            endpoint_url=endpoint,
            region_name=REGION,
            aws_access_key_id=access_key,
            aws_secret_access_key="local",  # noqa: S106 - the region checks no signature
        )
        settings = environment_of(create_or_update(client, FLEET, {})) | {
            **TIER_SETTINGS,
            "GRIDWELL_BASE_IMAGE": base_image,
            "GRIDWELL_MEMCACHED": self._memcached.address if self._memcached else "",
            "GRIDWELL_MAX_INSTANCES": str(self.max_instances),
            "GRIDWELL_PORT": str(self.port),
            "GRIDWELL_KILL_URL": endpoint + KILL_PATH,
            "GRIDWELL_KILL_KEY": access_key,
            **self.given,
        }
        self.report("the stack is created; baking the image (the first time takes a minute)")
        baked = self._bake(
            environment(endpoint=endpoint, region=REGION, access_key=access_key, settings=settings)
        )
        self.report(f"{'reusing' if baked['reused'] else 'baked'} image {baked['image']}")
        create_or_update(
            client,
            FLEET,
            {
                "WorkerImage": baked["image"],
                "WorkerUserData": encoded(
                    worker_user_data(_worker_settings(settings, self.given, baked))
                ),
                "Release": baked["release"],
            },
        )
        return settings

    def _bake(self, env: Mapping[str, str]) -> dict[str, Any]:
        log = self.state.logs / "bake.log"
        with log.open("ab") as errors:
            bake = subprocess.run(
                python("ami", "bake", "--json"),
                env=dict(env),
                stdout=subprocess.PIPE,
                stderr=errors,
                check=False,
            )
        if bake.returncode != 0:
            tail = "\n".join(log.read_text(errors="replace").splitlines()[-20:])
            raise ServiceError(f"the image could not be baked; {log} ends with:\n{tail}")
        baked: dict[str, Any] = json.loads(bake.stdout)
        return baked

    def _start_tier(self, tier: str) -> None:
        command, env = self._commands[tier]
        env = env | {PROGRAM: " ".join(command[command.index("-m") + 1 :])}
        self._tiers[tier] = start(tier, command, env=env, log=self.state.logs / f"{tier}.log")

    def _await_web(self, url: str) -> None:
        deadline = time.monotonic() + _READY_SECONDS
        while not _answers(url + "/healthz"):
            web = self._tiers["web"]
            if not web.is_running or time.monotonic() > deadline:
                raise ServiceError(
                    f"the web tier does not answer on {url}; its log {web.log} ends with:\n"
                    f"{web.last_lines()}"
                )
            time.sleep(_LOOK_SECONDS)


def _worker_settings(
    settings: Mapping[str, str], given: Mapping[str, str], baked: Mapping[str, Any]
) -> dict[str, str]:
    """Return the settings of an instance: those of the stack that a worker reads."""
    names = ("FLEET", "CHUNKS_QUEUE", "RESULTS_QUEUE", "LEDGER_TABLE", "BUCKET")
    return {
        **{f"GRIDWELL_{name}": settings[f"GRIDWELL_{name}"] for name in names},
        **{name: given.get(name, value) for name, value in WORKER_SETTINGS.items()},
        "GRIDWELL_RELEASE": baked["release"],
    }


def _check_free(port: int) -> None:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError as error:
            raise ServiceError(
                f"port {port} of 127.0.0.1 is taken ({error.strerror}): end the program that "
                "listens there, or name another (make run PORT=8081)"
            ) from error


def _answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=1.0):  # noqa: S310 - our own http address
            return True
    except (urllib.error.URLError, OSError):
        return False
