"""Carry out a decision by calls to EC2 and the ledger."""
