"""The workload generator: many clients at once, and a check of every answer they get."""
