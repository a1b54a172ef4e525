"""`python -m ami`."""

from ami.cli import main

main()
