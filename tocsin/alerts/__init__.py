"""What happened: alerts, their history, and the incidents they belong to.

``intake/`` is the hot path (door, committer, journal), ``drivers/`` read the payloads of monitoring
tools, ``transition.py`` decides what a message changes, ``correlate/`` turns changes into incidents.
"""
