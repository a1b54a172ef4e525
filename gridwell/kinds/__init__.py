"""Kinds of work: one package each, independent of the others."""
