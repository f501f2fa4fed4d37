"""Takes an alert from any monitoring tool and carries it to resolution."""
