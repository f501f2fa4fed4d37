"""Other systems' own protocols, so that their clients work unmodified."""
