"""What every test may ask for."""

from __future__ import annotations

from hypothesis import HealthCheck, settings

# A loaded machine is no failure of the code: no deadlines.  What is found once is found again.
settings.register_profile(
    "s3gate",
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.too_slow],
)
settings.load_profile("s3gate")
