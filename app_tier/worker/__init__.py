"""The worker's loop: receive tasks, schedule them, renew leases, report results."""
