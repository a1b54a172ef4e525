"""What all tests share."""

from __future__ import annotations

from hypothesis import HealthCheck, settings

# Examples have no deadline of their own: on a busy machine a slow one is no wrong one.  Tests
# that promise a speed measure it themselves, and pytest-timeout ends what hangs.
settings.register_profile("gridwell", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("gridwell")
