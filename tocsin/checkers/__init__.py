"""Is it healthy: checkers in ``checks/`` (plain Python, one file each) and the record of their runs."""
