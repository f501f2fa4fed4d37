"""Whether this process has been asked to end: it works on for a moment, and wants nothing new."""


class Ending:
    """Of this process."""

    asked = False


ending = Ending()
