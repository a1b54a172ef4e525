"""Patches of moto, each where it differs from AWS."""
