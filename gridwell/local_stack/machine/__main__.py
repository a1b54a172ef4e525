"""First process of a machine: `python -P -m gridwell.local_stack.machine FOLDER BOOTED_FD`.

The host gives the machine its whole environment.  This process also gets the module path that it
was started with, and a pipe on which it reports that the machine is up.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

from gridwell.local_stack.machine.init import Init


def main() -> None:
    """Boot the machine whose folder is named, and end when it has powered off."""
    folder, booted = Path(sys.argv[1]), int(sys.argv[2])
    env = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}

    def report_booted() -> None:
        os.write(booted, b"booted\n")
        os.close(booted)

    Init(folder, env, report_booted).run()


if __name__ == "__main__":
    main()
