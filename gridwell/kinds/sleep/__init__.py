"""The sleep kind: tasks that wait, to measure everything but their work."""
