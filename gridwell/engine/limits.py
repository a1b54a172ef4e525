"""Limits of jobs and requests of every kind."""

from __future__ import annotations

from typing import Final

MAX_BODY_BYTES: Final = 64 * 1024 * 1024
MAX_TASKS: Final = 1_000_000  #: of one job
MAX_CHUNKS: Final = 256  #: of one job: 19 instances then differ by a few per cent at the end
MESSAGE_BYTES: Final = 8 * 1024  #: what both queues accept; a chunk message stays below 1 KiB
MAX_TEXT_ITEMS: Final = 1_000_000  #: lists of one JSON text: as many as a job has atoms or tasks
MAX_PAYLOAD: Final = 200  #: texts of a result's payload: they are to fit into one message
