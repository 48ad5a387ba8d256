"""What all tests share: one way to draw examples."""

from __future__ import annotations

from hypothesis import HealthCheck, settings

# The same examples in every run, and no limit by the clock: a test fails for what the code does,
# not for the day or the machine.
settings.register_profile(
    "loxo", derandomize=True, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("loxo")
