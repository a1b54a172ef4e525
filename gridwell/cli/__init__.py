"""The one command `gridwell`."""

import click

import gridwell
from gridwell.cli.lazy_group import LazyGroup, LazyPart


@click.group(
    cls=LazyGroup,
    parts=(
        LazyPart("submit", "gridwell.cli.submit:submit", "Submit a job."),
        LazyPart("result", "gridwell.cli.jobs:result", "Print what a job found, or how far it is."),
        LazyPart("watch", "gridwell.cli.jobs:watch", "Show a job's progress, then its answer."),
        LazyPart("cancel", "gridwell.cli.jobs:cancel", "Cancel jobs that have not ended."),
        LazyPart("jobs", "gridwell.cli.jobs:jobs", "List jobs, the newest first."),
        LazyPart("load", "workload_generator.cli:main", "Send many jobs and verify every answer."),
        LazyPart("local", "gridwell.local_stack.cli:local", "Run everything on this machine."),
        LazyPart(
            "keys",
            "web_tier.operator.key_commands:keys",
            "Make, list and revoke the keys of clients.",
        ),
        LazyPart("pause", "autoscaler.cli:pause", "Start and launch no more instances."),
        LazyPart("resume", "autoscaler.cli:resume", "Start and launch instances again."),
        LazyPart("cap", "autoscaler.cli:cap", "Let the fleet have at most N instances."),
        LazyPart("audit", "web_tier.operator.audit_commands:audit", "List what operators did."),
        LazyPart(
            "doctor",
            "web_tier.operator.doctor.command:doctor",
            "See what answers, and what costs money.",
        ),
        LazyPart(
            "dead-letters",
            "web_tier.operator.dead_letter_commands:dead_letters",
            "See messages that nobody could handle, or send them again.",
        ),
    ),
)
@click.version_option(gridwell.__version__, message="%(version)s")
def main() -> None:
    """Find the point of a 3-D grid where the summed effect of many atoms is least.

    Data goes to stdout, all else to stderr; bars move only on a terminal. Each command takes
    --json, and then prints an object a line.

    \b
    Exit statuses:
      0    done
      1    the job failed, or an answer is wrong
      2    wrong usage: the request, the id of the job, or the key
      3    the service cannot be reached, or does not answer as it should
      4    the job did not end in the time given; it goes on
      130  interrupted; a job goes on
    """  # noqa: D301 - \b tells click to keep the lines as they are
