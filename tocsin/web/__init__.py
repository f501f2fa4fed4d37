"""Pages: sign-in, incidents, channels, live feed."""
