"""`python -m web_tier`."""

from web_tier.cli import main

main(prog_name="python -m web_tier")
