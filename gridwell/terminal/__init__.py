"""What people see of jobs on a terminal: a bar while one runs, and its answer."""

from gridwell.terminal.demo import run_demo
from gridwell.terminal.exit_status import ExitStatus, tell
from gridwell.terminal.follow_job import follow, told_of_interruption
from gridwell.terminal.job_text import answer_lines, job_line

__all__ = [
    "ExitStatus",
    "answer_lines",
    "follow",
    "job_line",
    "run_demo",
    "tell",
    "told_of_interruption",
]
