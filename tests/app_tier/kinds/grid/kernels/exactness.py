"""`make exactness`: thousands of cases of every kernel against brute force.

    python -m tests.app_tier.kinds.grid.kernels.exactness [how many] [the first]

Prints each case that disagrees and ends with status 1 if any does.
"""

from __future__ import annotations

# ruff: noqa: T201  # a command: what it prints is its result
import math
import sys
from contextlib import ExitStack
from unittest import mock

from app_tier.kinds.grid.kernels import AUTO, KERNELS, find_minimum
from tests.app_tier.kinds.grid.kernels.cases import (
    KINDS,
    brute_force,
    case,
    differs,
    options_of,
    searches,
)


def main(count: int = 5000, first: int = 0) -> int:
    """Try cases and return how many disagree."""
    wrong = 0
    for number in range(first, first + count):
        of = case(number)
        true = brute_force(of)
        for kernel in (AUTO, *KERNELS):
            found = find_minimum(of.problem.grid, of.problem.atoms, kernel=kernel, **options_of(of))
            if differs(found, true):
                wrong += 1
                kind = KINDS[number % len(KINDS)]
                print(f"case {number} ({kind}), kernel {kernel}: {found} instead of {true}")
        if (number - first + 1) % 500 == 0:
            print(f"{number - first + 1} cases, {wrong} wrong", flush=True)
    print(f"{count} cases with {len(KERNELS) + 1} choices of kernel: {wrong} wrong")
    return wrong


if __name__ == "__main__":
    # No budget: the small cases would all be left to summing.
    with ExitStack() as stack:
        for module in searches():
            stack.enter_context(mock.patch.object(module, "_SHARE", math.inf))
        sys.exit(main(*map(int, sys.argv[1:])) > 0)
