"""`python -m autoscaler`."""

from autoscaler.cli import main

main(prog_name="python -m autoscaler")
