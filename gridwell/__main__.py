"""`python -m gridwell` is the command `gridwell`."""

from gridwell.cli import main

if __name__ == "__main__":
    main(prog_name="gridwell")
