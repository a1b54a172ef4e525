"""The hand-made images of these tests: a few units each."""

from __future__ import annotations

import sys
from dataclasses import dataclass, field

NOTIFY = """
import os, socket, sys, time
def tell(words):
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as s:
        s.sendto(words.encode(), os.environ["NOTIFY_SOCKET"].replace("@", "\\0", 1))
print("limit", os.environ.get("WATCHDOG_USEC"), flush=True)
tell("READY=1")
for _ in range(int(sys.argv[1])):
    time.sleep(0.1)
    tell("WATCHDOG=1")
print("feeding ends", flush=True)
time.sleep(60)
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Image:
    image_id: str
    units: dict[str, str]
    files: dict[str, str] = field(default_factory=dict)


def unit(service: str, *, unit: str = "") -> str:
    install = "[Install]\nWantedBy=multi-user.target"
    return f"[Unit]\nDescription=A test\n{unit}\n[Service]\n{service}\n{install}\n"


def shell(script: str) -> str:
    return f"ExecStart=/bin/sh -c '{script}'"


IMAGES = {
    name: Image(image_id=f"ami-{number:017x}", units=units, files=files)
    for number, (name, units, files) in enumerate(
        [
            (
                "idle",
                {"idle.service": unit(shell("echo up as $GRIDWELL_HOME; exec sleep 60"))},
                {},
            ),
            (
                "worker",
                {
                    "worker.service": unit(
                        "EnvironmentFile=/opt/gridwell/run/env\nRestart=on-failure\n"
                        "ExecStart=/bin/sh /opt/gridwell/worker.sh ${NUMBER}",
                        unit="SuccessAction=poweroff",
                    )
                },
                {"worker.sh": 'echo "work $1"; sleep 0.2\n'},
            ),
            (
                "gives-back",
                {
                    "worker.service": unit(
                        "Restart=on-failure\nRestartSec=50ms\n"
                        + shell(
                            "if [ -e $TMPDIR/second ]; then echo again; exit 0; fi; "
                            "touch $TMPDIR/second; exit 75"
                        ),
                        unit="SuccessAction=poweroff",
                    )
                },
                {},
            ),
            (
                "broken",
                {
                    "worker.service": unit(
                        "Restart=on-failure\nRestartSec=10ms\n" + shell("echo try; exit 1"),
                        unit="StartLimitIntervalSec=300\nStartLimitBurst=4\n"
                        "StartLimitAction=poweroff",
                    )
                },
                {},
            ),
            (
                "deadline",
                {
                    "deadline.service": unit(
                        shell("echo waiting; sleep 0.3"),
                        unit="DefaultDependencies=no\nAfter=local-fs.target\n"
                        "Conflicts=shutdown.target\nBefore=shutdown.target\n"
                        "SuccessAction=poweroff-force",
                    ),
                    "worker.service": unit(shell("echo must not run; sleep 60")),
                },
                {},
            ),
            (
                "fails-once",
                {
                    "worker.service": unit(
                        "Restart=on-failure\nRestartSec=60\n" + shell("echo try; exit 1"),
                        unit="FailureAction=poweroff",
                    )
                },
                {},
            ),
            (
                "unreachable",
                {
                    "worker.service": unit(
                        "Restart=on-failure\nSuccessExitStatus=69\n" + shell("echo try; exit 69"),
                        unit="SuccessAction=poweroff",
                    )
                },
                {},
            ),
            (
                "unfit",
                {
                    "worker.service": unit(
                        "Restart=on-failure\nSuccessExitStatus=69 71\n"
                        + shell("echo try; exit 71"),
                        unit="SuccessAction=poweroff",
                    )
                },
                {},
            ),
            (
                "hangs",
                {
                    "worker.service": unit(
                        f"Type=notify\nWatchdogSec=400ms\nTimeoutStopSec=1\n"
                        f"ExecStart={sys.executable} /opt/gridwell/notify.py 3",
                        unit="FailureAction=poweroff",
                    )
                },
                {"notify.py": NOTIFY},
            ),
            (
                "needs",
                {
                    "release.service": unit(
                        "Type=oneshot\nRemainAfterExit=yes\n"
                        + shell("sleep 0.1; echo checked; exit 1")
                    ),
                    "worker.service": unit(
                        shell("echo must not run; sleep 60"),
                        unit="Requires=release.service\nAfter=release.service",
                    ),
                },
                {},
            ),
            (
                "chain",
                {
                    "release.service": unit(
                        "Type=oneshot\nRemainAfterExit=yes\n" + shell("sleep 0.1; echo checked")
                    ),
                    "worker.service": unit(
                        shell(
                            'trap "echo worker told; exit 75" TERM; echo working; '
                            "while :; do sleep 0.02; done"
                        )
                        + "\nUser=gridwell\nNoNewPrivileges=yes\nFancy=1",
                        unit="Requires=release.service\nAfter=release.service\n"
                        "SuccessAction=poweroff",
                    ),
                },
                {},
            ),
            (
                "deaf",
                {
                    "worker.service": unit(
                        shell('trap "" TERM; echo deaf; while :; do sleep 0.05; done')
                    )
                },
                {},
            ),
            (
                "stubborn",
                {
                    "worker.service": unit(
                        shell(
                            'trap "" TERM; setsid sleep 60 & echo deaf; '
                            "while :; do sleep 0.05; done"
                        )
                        + "\nTimeoutStopSec=300ms\nKillMode=mixed"
                    )
                },
                {},
            ),
        ],
        start=0x10,
    )
}
