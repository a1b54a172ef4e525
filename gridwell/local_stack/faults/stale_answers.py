"""Earlier responses, returned again where AWS is eventually consistent."""

from __future__ import annotations

import threading
from collections import deque
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from gridwell.local_stack.region.error_replies import ErrorReply

LONGEST: Final = 120.0  #: seconds that an answer is kept
_MOST: Final = 500  #: answers of one question
_QUESTIONS: Final = 200


class StaleAnswers:
    """Recent correct responses by request.  Safe to call from any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._by_question: dict[bytes, deque[tuple[float, ErrorReply]]] = {}

    def note(self, question: bytes, now: float, reply: ErrorReply) -> None:
        """Keep a correct response."""
        with self._lock:
            answers = self._by_question.pop(question, deque(maxlen=_MOST))
            self._by_question[question] = answers  # the latest question last
            answers.append((now, reply))
            while now - answers[0][0] > LONGEST:
                answers.popleft()
            while len(self._by_question) > _QUESTIONS:
                del self._by_question[next(iter(self._by_question))]

    def has(self, question: bytes) -> bool:
        """Return True if there is an earlier response to a request."""
        with self._lock:
            return question in self._by_question

    def earlier(self, question: bytes, now: float, age: float) -> ErrorReply:
        """Return the oldest response not older than `age`, or else the latest one."""
        with self._lock:
            answers = self._by_question[question]
            return next((reply for at, reply in answers if now - at <= age), answers[-1][1])
