"""The autoscaler: grows the fleet from the depth of the chunk queue, and never past its cap.

observe -> decide (pure) -> act, again and again; what must be remembered lives in the ledger.
"""
