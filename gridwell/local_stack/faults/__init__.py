"""Faults on request in the local region: what AWS does on a bad day, at the calls that you name."""
