"""JSON endpoints: health, readiness, metrics."""
