"""Reproducible measurements, against real peers."""
