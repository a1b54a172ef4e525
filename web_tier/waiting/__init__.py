"""Long polls and event streams of clients that wait for jobs."""
