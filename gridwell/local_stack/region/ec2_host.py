"""EC2 host: runs moto's instances as folders and process trees.

Every instance has one thread with one queue.  The queue holds requests and the ends of the
instance's machine, in order.  So a stop and a start in quick succession are both carried out; a
poller would miss them.
"""

from __future__ import annotations

import contextlib
import logging
import queue
import shutil
import threading
from typing import TYPE_CHECKING

from gridwell.local_stack.machine import processes
from gridwell.local_stack.region.images import ImageRecord, ImageStore, copy_disk
from gridwell.local_stack.region.machine_environment import machine_environment
from gridwell.local_stack.region.machine_process import MachineProcess, namespace
from gridwell.local_stack.region.metadata_service import MetadataServer, RequestFaults

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from gridwell.local_stack.region.instance_lifecycle import Lifecycle

logger = logging.getLogger(__name__)

BOOT_SECONDS = 60.0  #: a machine that is not up by then has failed
DISK = "opt/gridwell"  #: where an instance's folder holds what becomes part of an image
STATUS_OK = 0


class Ec2Host:
    """Host that boots, stops and images the instances of one region.

    Args:
        state: the folder of all that outlives a boot: instances, images, consoles.
        lifecycle: receives the machines' boots and ends.
        endpoint: where the region's API is.
        access_key: the id of the access key that instances get from their metadata services.
        stop_seconds: how long a machine may take to shut down before its power is cut.
    """

    def __init__(
        self,
        *,
        state: Path,
        lifecycle: Lifecycle,
        endpoint: str,
        access_key: str,
        stop_seconds: float = 40.0,
    ) -> None:
        self.images = ImageStore(state / "images")
        self.lifecycle = lifecycle
        self.endpoint = endpoint
        self.access_key = access_key
        self.stop_seconds = stop_seconds
        self.state = state
        self.metadata_faults: RequestFaults | None = None
        self._machines: dict[str, _Machine] = {}
        self._lock = threading.Lock()
        # A dead cloud process leaves folders behind; EC2 knows nothing of those instances now.
        shutil.rmtree(self.state / "instances", ignore_errors=True)
        shutil.rmtree(self.state / "consoles", ignore_errors=True)
        for name in ("instances", "consoles", "pip-cache"):
            (self.state / name).mkdir(parents=True, exist_ok=True)
        if not namespace():
            processes.adopt_orphans()
            logger.warning(
                "this machine refuses PID namespaces; instances are ended process by process",
                extra={"action": "host.no_namespace"},
            )

    def put_metadata_faults(self, faults: RequestFaults) -> None:
        """Let the metadata services of instances ask for faults, from the next boot on."""
        self.metadata_faults = faults

    # Requests of the lifecycle.

    def boot(self, instance_id: str) -> None:
        """Boot the instance, with a fresh disk if it has none."""
        with self._lock:
            machine = self._machines.get(instance_id)
            if machine is None:
                machine = self._machines[instance_id] = _Machine(self, instance_id)
        machine.events.put("boot")

    def stop(self, instance_id: str, *, force: bool = False) -> None:
        """Shut the instance down; with `force`, by cutting its power."""
        if force:
            # Now: its thread may be waiting for a shutdown that hangs.
            with self._lock:
                machine = self._machines.get(instance_id)
            if machine is not None:
                machine.cut_power()
        self._request(instance_id, "cut" if force else "stop")

    def reboot(self, instance_id: str) -> None:
        """Shut the instance down and boot it again."""
        self._request(instance_id, "reboot")

    def terminate(self, instance_id: str) -> None:
        """Shut the instance down and throw its disk away."""
        self._request(instance_id, "terminate")

    def kill(self, instance_id: str) -> bool:
        """Cut a machine's power like a hardware failure; return True if one was on."""
        with self._lock:
            machine = self._machines.get(instance_id)
        return machine is not None and machine.cut_power()

    def console(self, instance_id: str) -> bytes:
        """Return all that the instance has written on its console."""
        path = self.console_path(instance_id)
        return path.read_bytes() if path.exists() else b""

    def _request(self, instance_id: str, event: str) -> None:
        with self._lock:
            machine = self._machines.get(instance_id)
        if machine is None:  # its boot failed, so that there is no machine
            self.lifecycle.halted(instance_id)
        else:
            machine.events.put(event)

    # Requests of the image calls.

    def capture(self, instance_id: str, record: ImageRecord, done: Callable[[bool], None]) -> None:
        """Copy an instance's disk into an image, in the background."""

        def copy() -> None:
            try:
                self.images.add(record, self.folder(instance_id) / DISK)
            except OSError:
                logger.exception(
                    "image %s could not be copied from instance %s",
                    record.image_id,
                    instance_id,
                    extra={"action": "image.failed", "image": record.image_id},
                )
                done(False)  # noqa: FBT003 - the callback's only meaning
            else:
                done(True)  # noqa: FBT003 - see above

        threading.Thread(target=copy, name=f"capture {record.image_id}", daemon=True).start()

    def discard(self, image_id: str) -> None:
        """Throw an image's disk away."""
        self.images.remove(image_id)

    def retag(self, image_id: str, tags: dict[str, str]) -> None:
        """Note an image's tags."""
        self.images.retag(image_id, tags)

    # Paths.

    def folder(self, instance_id: str) -> Path:
        """Return the instance's folder."""
        return self.state / "instances" / instance_id

    def console_path(self, instance_id: str) -> Path:
        """Return the file of an instance's console; it outlives the instance."""
        return self.state / "consoles" / f"{instance_id}.log"

    def forget(self, instance_id: str) -> None:
        """Drop an instance that has gone for ever."""
        with self._lock:
            self._machines.pop(instance_id, None)

    def close(self) -> None:
        """Cut the power of every instance and wait until nothing is left."""
        with self._lock:
            machines = list(self._machines.values())
        for machine in machines:
            machine.events.put("close")
            machine.cut_power()  # now: its thread may be waiting for an orderly shutdown
        for machine in machines:
            machine.thread.join()


class _Machine:
    """Thread, disk and process of one instance.

    Everything but `events` and `cut_power` belongs to the thread.
    """

    def __init__(self, host: Ec2Host, instance_id: str) -> None:
        self.events: queue.SimpleQueue[str | MachineProcess] = queue.SimpleQueue()
        self._host = host
        self._id = instance_id
        self._folder = host.folder(instance_id)
        self._box: MachineProcess | None = None
        self._imds: MetadataServer | None = None
        self.thread = threading.Thread(target=self._run, name=instance_id, daemon=True)
        self.thread.start()

    def cut_power(self) -> bool:
        """Kill the machine, from any thread; return True if one was on."""
        box = self._box
        if box is not None:
            box.cut_power()
        return box is not None

    def _run(self) -> None:
        gone = False
        while not gone:
            event = self.events.get()
            try:
                gone = self._serve(event)
            except Exception as error:
                # An instance without its thread would hang in its state for ever.
                logger.exception(
                    "instance %s: a request could not be carried out",
                    self._id,
                    extra={"action": "instance.host_failed", "instance": self._id},
                )
                gone = self._give_up(event, f"the host failed: {error}")
        self._remove()

    def _give_up(self, event: str | MachineProcess, reason: str) -> bool:
        """Bring the instance to an end state; return True if it is terminated."""
        self.cut_power()
        self._host.lifecycle.failed(self._id, reason)
        self._host.lifecycle.halted(self._id)
        return event in ("terminate", "close")

    def _serve(self, event: str | MachineProcess) -> bool:
        """Serve one request, or one end of the machine; return True if the instance is terminated.

        Args:
            event: the request, or the machine that has ended.
        """
        if isinstance(event, MachineProcess):
            return event is self._box and self._ended()
        if event == "boot":
            self._boot()
        elif event == "reboot":
            if self._box is not None:  # else it has just powered off, and stays so
                self._shut_down()
                self._boot()
        else:
            self._shut_down(force=event in ("cut", "close"))
            self._host.lifecycle.halted(self._id)
        return event in ("terminate", "close")

    def _boot(self) -> None:
        if self._box is not None:  # it powered off and was started before its end was reported
            self._box.wait()
            self._forget_box()
        self._power_on()

    def _power_on(self) -> None:
        host = self._host
        facts = host.lifecycle.facts(self._id)
        if facts is None:
            return
        disk = self._folder / DISK
        if not disk.exists():
            # Renamed when whole: a copy that failed half way must not be booted the next time.
            partial = self._folder / "disk.partial"
            shutil.rmtree(partial, ignore_errors=True)
            disk.parent.mkdir(parents=True, exist_ok=True)
            copy_disk(host.images.disk(facts.image_id), partial)
            partial.rename(disk)
        if self._imds is None:
            self._imds = MetadataServer(
                lambda: host.lifecycle.facts(self._id),
                access_key=host.access_key,
                faults=host.metadata_faults,
            )
        env = machine_environment(
            folder=self._folder,
            disk=disk,
            pip_cache=host.state / "pip-cache",
            region=facts.region,
            endpoint=host.endpoint,
            metadata_endpoint=self._imds.endpoint,
        )
        box = MachineProcess(self._folder, env, host.console_path(self._id))
        self._box = box
        (self._folder / "pid").write_text(f"{box.pid}\n")
        threading.Thread(target=self._watch, args=(box,), daemon=True).start()
        if box.wait_booted(BOOT_SECONDS):
            host.lifecycle.booted(self._id)
        else:
            box.cut_power()  # the watcher reports the end, which is a failure

    def _watch(self, box: MachineProcess) -> None:
        box.wait()
        self.events.put(box)

    def _ended(self) -> bool:
        """Report a machine that ended by itself; return True if that terminates its instance."""
        assert self._box is not None  # noqa: S101 - the caller has compared it
        status = self._box.wait()
        self._forget_box()
        if status == STATUS_OK:
            return self._host.lifecycle.powered_off(self._id)
        reason = f"the machine died (status {status})"
        logger.warning(
            "instance %s: %s", self._id, reason, extra={"action": "instance.died", "reason": reason}
        )
        self._host.lifecycle.failed(self._id, reason)
        return False

    def _shut_down(self, *, force: bool = False) -> None:
        box = self._box
        if box is None:
            return
        if not force:
            box.press_power_button()
            if box.wait(self._host.stop_seconds) is None:
                logger.warning(
                    "instance %s did not shut down in %g s; its power is cut",
                    self._id,
                    self._host.stop_seconds,
                    extra={"action": "instance.power_cut"},
                )
        box.cut_power()
        box.wait()
        self._forget_box()

    def _forget_box(self) -> None:
        self._box = None
        (self._folder / "pid").unlink(missing_ok=True)

    def _remove(self) -> None:
        if self._imds is not None:
            self._imds.close()
        with contextlib.suppress(FileNotFoundError):
            shutil.rmtree(self._folder)
        self._host.forget(self._id)
