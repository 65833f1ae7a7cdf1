"""Which code made a model: part of a bundle's version, and logged with every run."""

import hashlib
import subprocess
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

ROOT = Path(__file__).parent.parent
# A model's numbers depend on the packages that hold tables and models, and on these libraries.
SOURCES = ("features", "models")
LIBRARIES = ("lightgbm", "numpy", "scipy", "implicit", "duckdb", "pyarrow")


@cache
def package_version() -> str:
    """The installed version of onebasket."""
    try:
        return version("onebasket")
    except PackageNotFoundError:
        return "0"


@cache
def code_identity(*, judging: bool = False) -> str:
    """Version of the package, and a hash over the sources and libraries that decide a model's numbers.

    With `judging` also over the sources that judge models.
    """
    digest = hashlib.sha256()
    for folder in (*SOURCES, "training") if judging else SOURCES:
        for path in sorted((ROOT / folder).rglob("*.py")):
            digest.update(str(path.relative_to(ROOT)).encode() + b"\0" + path.read_bytes() + b"\0")
    digest.update(repr(library_versions()).encode())
    return f"{package_version()}+{digest.hexdigest()[:12]}"


@cache
def library_versions() -> tuple[tuple[str, str], ...]:
    """Name and installed version of each library that decides a model's numbers."""
    return tuple((name, version(name)) for name in LIBRARIES)


@cache
def git_commit() -> str:
    """`git describe` of the checkout that runs, or 'none' for an installed package."""
    if not (ROOT / ".git").exists():
        return "none"
    try:
        told = subprocess.run(  # noqa: S603 - fixed arguments, no shell
            ["git", "-C", str(ROOT), "describe", "--always", "--dirty", "--tags"],  # noqa: S607 - git of the PATH
            capture_output=True, text=True, timeout=20, check=True,
        )  # fmt: skip
    except (OSError, subprocess.SubprocessError):
        return "none"
    return told.stdout.strip() or "none"


@cache
def lock_hash() -> str:
    """SHA-256 of the lock file of a checkout, or 'none' for an installed package."""
    lock = ROOT / "requirements" / "dev.lock"
    return hashlib.sha256(lock.read_bytes()).hexdigest() if lock.is_file() else "none"
