"""What people see of jobs on a terminal: a bar while one runs, and its answer."""

from gridwell.show.answer import answer_lines, job_line
from gridwell.show.demo import run_demo
from gridwell.show.failure import Exit, tell
from gridwell.show.follow import follow, told_of_interruption

__all__ = ["Exit", "answer_lines", "follow", "job_line", "run_demo", "tell", "told_of_interruption"]
