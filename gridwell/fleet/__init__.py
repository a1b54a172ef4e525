"""Instances, offers, slots, history and billing."""
