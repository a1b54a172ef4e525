"""Load shedding: concurrency limits, queue limits and fair shares."""
