"""In-memory doubles of every port, with the real things' manners.

They ship, so that whoever builds on Gridwell can test without AWS; the suites in `tests/adapters`
hold them and the real adapters to the same promises.
"""

from gridwell.adapters.memory.access import MemoryAccessLedger
from gridwell.adapters.memory.clock import ManualClock, WrongClock
from gridwell.adapters.memory.ec2 import MemoryEc2
from gridwell.adapters.memory.ledger import MemoryLedger
from gridwell.adapters.memory.queue import MemoryQueue
from gridwell.adapters.memory.stores import MemoryCache, MemoryStore
from gridwell.adapters.memory.topic import MemoryTopic

__all__ = [
    "ManualClock",
    "MemoryAccessLedger",
    "MemoryCache",
    "MemoryEc2",
    "MemoryLedger",
    "MemoryQueue",
    "MemoryStore",
    "MemoryTopic",
    "WrongClock",
]
