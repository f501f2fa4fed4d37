"""Runs Tocsin as a program of its own, as people and init systems do."""

import os
import subprocess
import sys
from pathlib import Path


def tocsin(
    *arguments: str, data_dir: Path, stdin: str = "", **environment: str
) -> subprocess.CompletedProcess[str]:
    """Run one command to its end."""
    return _run(["-m", "tocsin", *arguments], data_dir, stdin, environment)


def python(code: str, *, data_dir: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run a piece of Python with Tocsin set up."""
    setup = "import django, os; os.environ['DJANGO_SETTINGS_MODULE'] = 'tocsin.settings'; django.setup()\n"
    return _run(["-W", "error", "-c", setup + code], data_dir, "", environment)


def _run(
    arguments: list[str], data_dir: Path, stdin: str, environment: dict[str, str]
) -> subprocess.CompletedProcess[str]:
    left_out = ("DATABASE_URL", "DJANGO_SETTINGS_MODULE")
    kept = {name: value for name, value in os.environ.items() if name not in left_out}
    return subprocess.run(
        [sys.executable, *arguments],
        input=stdin,
        capture_output=True,
        text=True,
        timeout=60,
        cwd=data_dir,
        env={**kept, "TOCSIN_DATA_DIR": str(data_dir), **environment},
        check=False,
    )
