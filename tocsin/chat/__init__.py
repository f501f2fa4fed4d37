"""What people do and ask in Slack: buttons on messages, ``/tocsin …`` and their answers.

Slack posts to ``views.py``, which checks its signature first, or, where it cannot reach the hub, sends the
same over a WebSocket that ``socket_mode.py`` opens. Either way ``desk.py`` decides what is asked,
``deeds.py`` has it done by the services that the pages use, once for each press, and ``slash/`` answers
questions. Who a member of a workspace is here, ``linking.py`` finds out.
"""
