"""Builds ``dist/tocsin-agent.pyz``: the agent, its checkers and what they import, in one file.

For this machine it takes what is installed here; for another, uv fetches the same versions:

    python deploy/agent/build.py
    python deploy/agent/build.py --platform aarch64-unknown-linux-gnu
"""

import argparse
import ast
import hashlib
import py_compile
import re
import shutil
import subprocess
import sys
import sysconfig
import tempfile
import zipfile
from collections.abc import Iterable, Iterator
from importlib import metadata
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).parent.parent.parent
DIST: Final = ROOT / "dist" / "tocsin-agent.pyz"
CHECKS: Final = "tocsin.checkers.checks"
PYTHON: Final = ".".join(map(str, sys.version_info[:2]))
MACHINES: Final = {"x86_64": "linux-x86_64", "aarch64": "linux-aarch64"}
EPOCH: Final = (1980, 1, 1, 0, 0, 0)  # the same content makes the same file


def module_file(name: str) -> Path | None:
    """Where one of our modules is."""
    path = ROOT.joinpath(*name.split("."))
    found = [candidate for candidate in (path / "__init__.py", path.with_suffix(".py")) if candidate.exists()]
    return found[0] if found else None


def imports(path: Path) -> Iterator[str]:
    """What a module imports anywhere in it; of ``from a import b`` both a and a.b, which may be a module."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def reached() -> tuple[set[Path], set[str]]:
    """Our modules that the agent can come to, and the packages of others that these import."""
    checks = (ROOT / Path(*CHECKS.split("."))).iterdir()
    todo = ["tocsin.agent.commands", *(f"{CHECKS}.{path.stem}" for path in checks)]
    ours: dict[str, Path] = {}
    others: set[str] = set()
    while todo:
        name = todo.pop()
        if not name.startswith("tocsin"):
            others.add(name.partition(".")[0])
        elif name not in ours and (path := module_file(name)) is not None:
            ours[name] = path
            todo += [*imports(path), *_parents(name)]
    return set(ours.values()), others - sys.stdlib_module_names


def _parents(name: str) -> Iterator[str]:
    while "." in name:
        name = name.rpartition(".")[0]
        yield name


def distributions(packages: Iterable[str]) -> list[metadata.Distribution]:
    """What must be installed for these packages, by its own word."""
    owners = metadata.packages_distributions()
    todo = [owner for package in packages for owner in owners[package]]
    found: dict[str, metadata.Distribution] = {}
    while todo:
        name = canonical(todo.pop())
        if name in found:
            continue
        try:
            found[name] = metadata.distribution(name)
        except metadata.PackageNotFoundError:  # for another system or another Python
            continue
        todo += [
            _named(required)
            for required in found[name].requires or ()
            if not re.search("extra ==|win32", required)
        ]
        if name == "psycopg":
            todo.append("psycopg-binary")  # without it the system's libpq would be needed
    return [found[name] for name in sorted(found)]


def canonical(name: str) -> str:
    """A distribution's name, however it is spelt."""
    return re.sub(r"[-_.]+", "-", name).lower()


def _named(requirement: str) -> str:
    return re.split(r"[\s;<>=!~\[(]", requirement, maxsplit=1)[0]


def copy_installed(found: Iterable[metadata.Distribution], into: Path) -> None:
    """Take what is installed here."""
    for distribution in found:
        for file in distribution.files or ():
            if ".." in file.parts or "__pycache__" in file.parts or file.suffix == ".pyi":
                continue
            target = into / file
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(str(distribution.locate_file(file)), target)


def fetch(found: Iterable[metadata.Distribution], platform: str, into: Path) -> None:
    """Have uv fetch the locked versions for another machine."""
    names = {canonical(distribution.name) for distribution in found}
    blocks = re.findall(r"^\S.*?(?=^\S|\Z)", (ROOT / "requirements.txt").read_text(), re.M | re.S)
    wanted = [block for block in blocks if canonical(_named(block)) in names]
    with tempfile.NamedTemporaryFile("w", suffix=".txt") as listed:
        listed.write("".join(wanted))
        listed.flush()
        command = [
            "uv",
            "pip",
            "install",
            "--quiet",
            "--no-deps",
            "--require-hashes",
            "--only-binary",
            ":all:",
        ]
        command += ["--python-platform", platform, "--python-version", PYTHON]
        subprocess.run([*command, "--target", str(into), "-r", listed.name], check=True)
    shutil.rmtree(into / "bin", ignore_errors=True)


def copy_ours(files: Iterable[Path], into: Path) -> None:
    """Our own modules, and what they are called."""
    for path in files:
        target = into / path.relative_to(ROOT)
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, target)
    version = metadata.version("tocsin")
    described = into / f"tocsin-{version}.dist-info"
    described.mkdir()
    (described / "METADATA").write_text(f"Metadata-Version: 2.1\nName: tocsin\nVersion: {version}\n")


def compile_all(folder: Path) -> None:
    """Compile each module, never to be checked against its source: the cache may be read-only."""
    for path in sorted(folder.rglob("*.py")):
        py_compile.compile(
            str(path),
            dfile=str(path.relative_to(folder)),
            doraise=True,
            invalidation_mode=py_compile.PycInvalidationMode.UNCHECKED_HASH,
        )


def pack(folder: Path, machine: str, output: Path) -> None:
    """Write the one file."""
    files = {
        f"lib/{path.relative_to(folder)}": path.read_bytes() for path in folder.rglob("*") if path.is_file()
    }
    digest = hashlib.sha256()
    for name in sorted(files):
        digest.update(name.encode() + b"\0" + hashlib.sha256(files[name]).digest())
    first = (Path(__file__).parent / "bootstrap.py").read_text()
    for mark, value in (("@HASH@", digest.hexdigest()[:32]), ("@PYTHON@", PYTHON), ("@MACHINE@", machine)):
        first = first.replace(mark, value)
    output.parent.mkdir(exist_ok=True)
    making = output.with_suffix(".making")
    with making.open("wb") as file:
        file.write(b"#!/usr/bin/env python3\n")
        with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED, compresslevel=6) as whole:
            for name, content in [("__main__.py", first.encode()), *sorted(files.items())]:
                entry = zipfile.ZipInfo(name, EPOCH)
                entry.compress_type, entry.external_attr = zipfile.ZIP_DEFLATED, 0o600 << 16
                whole.writestr(entry, content)
    making.chmod(0o755)
    making.replace(output)


def machine_of(platform: str) -> str:
    """What the other machine's Python calls itself."""
    architecture = platform.partition("-")[0]
    if "linux" not in platform or architecture not in MACHINES:
        raise SystemExit(
            f"cannot build for {platform}: one of {', '.join(f'{a}-unknown-linux-gnu' for a in MACHINES)}"
        )
    return MACHINES[architecture]


def main() -> None:
    """Build it."""
    parser = argparse.ArgumentParser(description="Build the agent as one file.")
    parser.add_argument("--platform", default="", help="another machine, as uv calls it")
    parser.add_argument("--output", type=Path, default=DIST, help="the file to write")
    options = parser.parse_args()
    machine = machine_of(options.platform) if options.platform else sysconfig.get_platform()
    ours, packages = reached()
    found = distributions(packages)
    with tempfile.TemporaryDirectory() as made:
        folder = Path(made)
        if options.platform:
            fetch(found, options.platform, folder)
        else:
            copy_installed(found, folder)
        copy_ours(ours, folder)
        compile_all(folder)
        pack(folder, machine, options.output)
    size = options.output.stat().st_size / 1_000_000
    print(f"{options.output}: {size:.1f} MB, for Python {PYTHON} on {machine}")
    print(f"with {', '.join(f'{each.name} {each.version}' for each in found)}")


if __name__ == "__main__":
    main()
