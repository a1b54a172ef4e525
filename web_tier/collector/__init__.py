"""The collector's process: merge results, finish jobs, process dead letters."""
