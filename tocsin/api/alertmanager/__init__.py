"""Alertmanager's API v2 but for posting alerts, which is a way in: for amtool, karma, Grafana and Prometheus.

Its answers, errors included, are those of the original.
"""

from typing import Final

VERSION: Final = "0.25.0"  # of the Alertmanager that this API was measured against; clients ask for it
