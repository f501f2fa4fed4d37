"""``tocsin replay``: recorded alerts through a changed configuration, and what would have been otherwise.

The code that decides over alerts decides here too: in two throwaway databases, one with the configuration as
it is and one with the changed one, with ``now`` moved along the recorded times. Nothing is sent, and the
database of the installation is only read.

``configuration`` is what decides, ``changes`` reads a file of changes to it; ``record`` reads what happened,
``lines`` is how it travels to the ``theatre``, a process around a ``Rerun``, and what that answers;
``processes`` feeds two of them, ``compare`` tells how their answers differ.
"""
