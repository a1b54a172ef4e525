from pathlib import Path

from gridwell.local_stack.region.machine_process import MachineProcess
from tests.harness.waiting import DEADLINE


def test_the_button_of_a_machine_that_has_just_ended_does_nothing(tmp_path: Path) -> None:
    # It ends at once, as there is no metadata service in its environment.
    box = MachineProcess(tmp_path, {"PATH": "/usr/bin:/bin"}, tmp_path / "console.log")
    box.cut_power()
    assert box.wait(DEADLINE) is not None

    box.press_power_button()

    assert box.wait(DEADLINE) is not None
