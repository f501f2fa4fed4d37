"""People and keys: sign-in links, API keys."""
