"""Django helpers without tables: durable work, field types, set-based SQL."""
