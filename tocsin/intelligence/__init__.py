"""Why, and what to do: providers turn an incident and its checks into findings."""
