"""Who gets what, and when: a tree of routes as Alertmanager's, as values in and values out.

``document.py`` is the tree as people write it, ``tree.py`` what becomes of it and the question who gets an
alert, ``intervals.py`` the hours when routes are mute or active, ``story.py`` the sentences about it, and
``asked.py`` all of them for one alert.
``lines.py`` reads YAML so that every value knows its line; ``alertmanager.py`` and ``receivers.py`` read an
``alertmanager.yml`` with it, by what ``integrations.py`` knows of each. ``simulator.py`` plays alerts against
a tree with a clock of its own, ``tests_file.py`` tells whether that is what people expect (``expected.py``).
"""
