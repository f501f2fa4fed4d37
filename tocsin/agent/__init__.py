"""Runs on a host without Django: checks go to a spool on disk, and from there to the hub.

A round (``rounds.py``) is what checks found at one time, each result with the times that the hub is to
keep of it (``states.py``). It is on disk (``spool.py``) before it is sent (``sending.py``, ``hub.py``),
and goes once the hub has it. ``tocsin agent`` (``service.py``) does this again and again,
``tocsin push_to_hub`` (``push.py``) once.

Where its configuration allows commands (``allowed.py``) the agent asks the hub for them (``orders.py``), puts
down what it begins (``ledger.py``), and runs it (``executing.py``).
"""
