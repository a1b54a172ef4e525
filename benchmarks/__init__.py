"""Benchmarks, each a command of the Makefile."""
