"""`python -m app_tier`."""

from app_tier.cli import main

main(prog_name="python -m app_tier")
