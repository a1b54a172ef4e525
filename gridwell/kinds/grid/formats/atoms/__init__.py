"""Readers and writers of files of atoms."""
