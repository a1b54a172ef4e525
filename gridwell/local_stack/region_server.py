"""Process of a local region: moto, the lifecycle of instances, and the EC2 host.

    python -P -m gridwell.local_stack.region_server --state DIR [--port P] [--max-running N]
                                                   [--faults]

It prints one line of JSON when it is ready, `{"endpoint": "http://127.0.0.1:1234", …}`, with the
`access_key` that each call must name.  Read the line through a pipe, as the key is a secret.  The
process ends at SIGTERM, at SIGINT, or with `--die-with-stdin` when its standard input is closed.
All instances end with it; images stay in DIR.
"""

from __future__ import annotations

import argparse
import fcntl
import json
import logging
import os
import signal
import sys
import threading
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

from gridwell.engine.errors import ServiceError
from gridwell.local_stack.private_folder import make_private
from gridwell.program.logs import TextFormatter

if TYPE_CHECKING:
    from gridwell.local_stack.faults.ec2_faults import FaultyHost
    from gridwell.local_stack.region.instance_lifecycle import Lifecycle

logger = logging.getLogger(__name__)

ACCOUNT = "123456789012"  #: moto's account
BASE_IMAGE = "ami-00000000000000001"
BASE_IMAGE_NAME = "gridwell-base"
#: Read by moto when it is imported.
MOTO_SETTINGS = {
    "MOTO_EC2_LOAD_DEFAULT_AMIS": "false",
    "MOTO_EC2_ENABLE_INSTANCE_TYPE_VALIDATION": "1",
    "MOTO_DISABLE_GLOBAL_CORS": "true",
}


def main() -> None:
    """Serve until a signal, or the end of standard input."""
    arguments = _arguments()
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(TextFormatter("%(asctime)s %(levelname)s %(message)s"))
    logging.basicConfig(level=logging.INFO, handlers=[handler])
    os.environ.update(MOTO_SETTINGS)
    try:
        cloud = RegionServer(
            state=arguments.state.resolve(),
            port=arguments.port,
            region=arguments.region,
            max_running=arguments.max_running,
            stop_seconds=arguments.stop_seconds,
            with_faults=arguments.faults,
        )
    except ServiceError as error:
        sys.exit(str(error))
    ending = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: ending.set())
    if arguments.die_with_stdin:
        threading.Thread(target=_await_end_of_stdin, args=(ending,), daemon=True).start()
    cloud.start()
    sys.stdout.write(json.dumps(cloud.ready_line()) + "\n")
    sys.stdout.flush()
    ending.wait()
    cloud.close()


class RegionServer:
    """A region on 127.0.0.1.

    One per process: moto's classes are patched, and what they hold is global.
    """

    def __init__(
        self,
        *,
        state: Path,
        port: int,
        region: str,
        max_running: int,
        stop_seconds: float,
        with_faults: bool,
    ) -> None:
        # Imported here: they import moto, which reads its settings on the way.
        from gridwell.local_stack.region import (  # noqa: PLC0415
            access_key,
            http_server,
            images,
            instance_lifecycle,
            kill_endpoint,
        )
        from gridwell.local_stack.region.ec2_host import Ec2Host  # noqa: PLC0415
        from gridwell.local_stack.region.moto import (  # noqa: PLC0415
            cloudformation,
            dynamodb,
            ec2_images,
            ec2_instances,
            self_check,
            sqs,
        )

        self._lock = _hold(state)
        sqs.install()
        dynamodb.install()
        cloudformation.install()
        self_check.self_check()
        self._access_key = access_key.draw_access_key()
        self._server: Any = http_server.make_server(port, access_key=self._access_key)
        self.region = region
        states = instance_lifecycle.Lifecycle(
            account_id=ACCOUNT, region=region, max_running=max_running
        )
        self.host = Ec2Host(
            state=state,
            lifecycle=states,
            endpoint=self.endpoint,
            access_key=self._access_key,
            stop_seconds=stop_seconds,
        )
        states.attach(self._put_faults_between(states, state) if with_faults else self.host)
        # Outermost: no fault planned for AWS's calls concerns it.
        self._server.app = kill_endpoint.KillEndpoint(self._server.app, cut_power=self.host.kill)
        ec2_instances.install(states)
        ec2_images.install(self.host, states.lock)
        records = self.host.images.records()
        if BASE_IMAGE not in {record.image_id for record in records}:
            base = images.ImageRecord(
                image_id=BASE_IMAGE,
                name=BASE_IMAGE_NAME,
                description="An empty machine to bake images on",
                created=datetime.now(UTC).isoformat(),
            )
            self.host.images.add(base, None)
            records.append(base)
        for record in records:
            ec2_images.register(record, account_id=ACCOUNT, region=region)
        self.image_count = len(records)

    def _put_faults_between(self, states: Lifecycle, state: Path) -> FaultyHost:
        """Install faults between the clients and the API, and between EC2 and its host."""
        from gridwell.local_stack.faults import install  # noqa: PLC0415 - it imports moto

        return install.install(
            self._server,
            host=self.host,
            lifecycle=states,
            state=state,
            account_id=ACCOUNT,
            region=self.region,
            on_metadata=self.host.put_metadata_faults,
        )

    @property
    def endpoint(self) -> str:
        """The API's address."""
        return f"http://127.0.0.1:{self._server.server_port}"

    def ready_line(self) -> dict[str, Any]:
        """Return the fields of the line that is printed when the region is ready."""
        return {
            "endpoint": self.endpoint,
            "access_key": self._access_key,
            "region": self.region,
            "account": ACCOUNT,
            "base_image": BASE_IMAGE,
            "pid": os.getpid(),
        }

    def start(self) -> None:
        """Begin to serve, in threads."""
        thread = threading.Thread(target=self._server.serve_forever, args=(0.1,), daemon=True)
        thread.start()
        logger.info(
            "the region %s is up at %s with %d images",
            self.region,
            self.endpoint,
            self.image_count,
            extra={"action": "cloud.up", "endpoint": self.endpoint},
        )

    def close(self) -> None:
        """Stop serving and end every instance."""
        self._server.shutdown()
        self.host.close()
        self._server.server_close()
        self._lock.close()


def _hold(state: Path) -> BinaryIO:
    """Lock the state folder for as long as the returned file is open.

    Raises:
        ServiceError: another region runs in the folder; this one would delete its instances.
    """
    make_private(state)
    lock = (state / "cloud.lock").open("wb")
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        lock.close()
        raise ServiceError(
            f"another region runs in {state}: end it first, or name another --state"
        ) from error
    return lock


def _await_end_of_stdin(ending: threading.Event) -> None:
    while os.read(sys.stdin.fileno(), 4096):
        pass
    ending.set()


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m gridwell.local_stack.region_server")
    parser.add_argument("--state", type=Path, required=True, help="folder of images and instances")
    parser.add_argument("--port", type=int, default=0, help="0: a free one (default)")
    parser.add_argument("--region", default=os.environ.get("AWS_DEFAULT_REGION", "us-east-1"))
    parser.add_argument("--max-running", type=int, default=19, help="instances at the same time")
    parser.add_argument(
        "--stop-seconds", type=float, default=40.0, help="before a stopping machine's power is cut"
    )
    parser.add_argument(
        "--faults",
        action="store_true",
        help="let faults be planned while it runs, see gridwell.local_stack.faults",
    )
    parser.add_argument(
        "--die-with-stdin", action="store_true", help="end when standard input is closed"
    )
    return parser.parse_args()


if __name__ == "__main__":
    main()
