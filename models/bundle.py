"""Bundles: immutable folders of plain files through which training hands its models to the server.

    bundles/<kind>/<version>/bundle.json   kind, version, as_of, settings, and size and SHA-256 of every file
    bundles/<kind>/<version>/…             parquet, .npy, JSON and LightGBM text; never pickle
    bundles/<kind>/RELEASED                the version that servers answer from

Releasing and rolling back are the same move: replace RELEASED in one step.
"""

import hashlib
import json
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path
from typing import Any, Literal

from features.errors import BundleError
from features.workspace import point

BundleKind = Literal["recommend", "forecast"]
FORMAT = 1
PLAIN = {".parquet", ".npy", ".json", ".txt"}


@dataclass(frozen=True)
class Bundle:
    """A checked bundle folder."""

    folder: Path
    kind: BundleKind
    version: str
    as_of: date
    facts: dict[str, Any]


def seal(folder: Path, kind: BundleKind, version: str, as_of: date, facts: dict[str, Any]) -> Bundle:
    """Write bundle.json over a filled folder. `facts` is JSON: recipe, fingerprint, metrics, names of parts."""
    files = {str(path.relative_to(folder)): _identity(path) for path in sorted(folder.rglob("*")) if path.is_file()}
    odd = [name for name in files if Path(name).suffix not in PLAIN]
    if odd:
        raise BundleError(f"a bundle holds plain files only, not {', '.join(odd)}")
    content = {"format": FORMAT, "kind": kind, "version": version, "as_of": as_of.isoformat(), "facts": facts,
               "files": files}  # fmt: skip
    (folder / "bundle.json").write_text(json.dumps(content, indent=1, sort_keys=True), "utf-8")
    return Bundle(folder, kind, version, as_of, facts)


def restate(bundle: Bundle, facts: dict[str, Any]) -> Bundle:
    """Replace what a sealed bundle says of itself, in one step; its files and its version stay the same."""
    content = json.loads((bundle.folder / "bundle.json").read_text("utf-8"))
    point(bundle.folder / "bundle.json", json.dumps({**content, "facts": facts}, indent=1, sort_keys=True))
    return replace(bundle, facts=facts)


def open_bundle(folder: Path, kind: BundleKind) -> Bundle:
    """Check a bundle against its own bundle.json; BundleError says what is missing, damaged or foreign."""
    try:
        content = json.loads((folder / "bundle.json").read_text("utf-8"))
    except (OSError, ValueError) as fault:
        raise BundleError(f"{folder} is not a bundle: bundle.json is missing or damaged ({fault})") from fault
    if content.get("format") != FORMAT or content.get("kind") != kind:
        raise BundleError(
            f"{folder} is a {content.get('kind')} bundle of format {content.get('format')}; "
            f"a {kind} bundle of format {FORMAT} is needed: train and release it again"
        )
    for name, identity in content["files"].items():
        path = (folder / name).resolve()
        if not path.is_relative_to(folder.resolve()) or not path.is_file() or _identity(path) != identity:
            raise BundleError(f"{folder}: {name} is missing or differs from what was sealed: release it again")
    return Bundle(folder, kind, content["version"], date.fromisoformat(content["as_of"]), content["facts"])


def _identity(path: Path) -> dict[str, Any]:
    with path.open("rb") as file:
        return {"bytes": path.stat().st_size, "sha256": hashlib.file_digest(file, "sha256").hexdigest()}


def released_version(bundles: Path, kind: BundleKind) -> str | None:
    """The version that RELEASED names, None before the first release."""
    pointer = bundles / kind / "RELEASED"
    return pointer.read_text("utf-8").strip() if pointer.is_file() else None


def release_version(bundles: Path, kind: BundleKind, version: str) -> Bundle:
    """Point servers at a bundle that lies in `bundles`, after checking it; nothing changes if it is damaged."""
    bundle = open_bundle(bundles / kind / version, kind)
    point(bundles / kind / "RELEASED", version)
    return bundle
