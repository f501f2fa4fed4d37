"""Ways in that are not HTTP, in a process of their own: ``tocsin listen``.

``zigbee2mqtt.py``, ``mail.py`` and ``subject.py`` read (pure: values in, values out); ``mqtt.py`` and
``smtp.py`` talk to the outside; ``desk.py`` hands what was read to the committer; ``process.py`` keeps
listeners running.
"""
