"""Many machines and their jobs: heartbeats that must not fail to come, and a feed of what happened.

Both arrive beside alerts, by the same ways in: ``heartbeats.take`` and ``feed.record`` keep them before
their sender is answered. ``watch`` finds the heartbeats that are late or failed, and makes alerts of them.
"""
