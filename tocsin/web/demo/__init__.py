"""A shop's small troubles, for ``tocsin up --demo``: posted through the real door, received by a sink."""
