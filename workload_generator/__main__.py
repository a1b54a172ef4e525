"""`python -m workload_generator`."""

from workload_generator.cli import main

main(prog_name="gridwell load")
