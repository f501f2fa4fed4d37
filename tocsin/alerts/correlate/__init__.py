"""From journal entries to incidents: which alerts belong together, and what people should hear of."""
