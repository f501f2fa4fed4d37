"""The kernel: what every part uses and what knows neither Django nor alerts."""
