#!/usr/bin/env python
"""The same commands as ``tocsin``, from a checkout."""

from tocsin.__main__ import main

if __name__ == "__main__":
    main()
