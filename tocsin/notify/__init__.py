"""Tell people: channels, deliveries, and the drivers that speak each service's language."""
