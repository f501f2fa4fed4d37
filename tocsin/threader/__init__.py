"""The Alert Threader: takes Alertmanager's webhooks and keeps each alert group in one Slack thread.

A service of its own (``service.py``) with no database of Tocsin's. ``door.py`` answers a webhook once it is
kept in the store: Redis, which several instances share (``redis_store.py``), or a file of its own for one
(``sqlite_store.py``). ``teller.py`` takes one group's webhooks at a time, under a lease; what is new in them
is worked out from what the thread has told already (``thread.py``, values in, values out), so that repeats,
doubles and what comes late say nothing. It is told by ``tocsin.notify.threads``, which the hub uses too.
"""
