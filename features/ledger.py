"""What a snapshot remembers of how it was made, so that the next one redoes only what changed."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from datetime import date
from pathlib import Path
from typing import Any

from features.digests import hashes_of
from features.landing import Landed
from features.workspace import Snapshot, Workspace

FOLDER = "ledger"
LEDGER_FORM = 3  # raised whenever the ledger itself is written otherwise
HISTORY_FORM = 3  # raised whenever tables are made otherwise from the same lines


@dataclass
class Ledger:
    """The landed files of a snapshot and the partitions made of them.

    `made_by` is a hash of the settings that decide how lines become tables, `decided` one of what people decided about
    accounts; `joins` stands for the joined files of each source. `rows` counts the rows of each partition by table,
    and `dropped`, by table, partition and source, the rows that others stand for. `ahead` tells which later days the
    orders of a day are handed over on, `places` where; `erased` are hashes of accounts that are to be forgotten,
    `visits_until` is the month up to which visits are summed, `hashes` those of the published files.
    """

    made_by: str
    landed: list[Landed] = field(default_factory=list)
    decided: str = ""
    joins: dict[str, str] = field(default_factory=dict)
    rows: dict[str, dict[str, int]] = field(default_factory=dict)
    dropped: dict[str, dict[str, dict[str, int]]] = field(default_factory=dict)
    ahead: dict[str, list[str]] = field(default_factory=dict)
    places: dict[str, list[str]] = field(default_factory=dict)
    erased: list[str] = field(default_factory=list)
    visits_until: str = ""
    hashes: dict[str, str] = field(default_factory=dict)

    def of(self, source: str) -> list[Landed]:
        return [landed for landed in self.landed if landed.source == source]

    def lines(self, sources: Mapping[str, Any]) -> dict[date, int]:
        """Usable rows by local day over all files of `sources`."""
        found: dict[date, int] = {}
        for landed in self.landed:
            if landed.source in sources:
                for day, count in landed.days.items():
                    when = date.fromisoformat(day)
                    found[when] = found.get(when, 0) + count
        return found

    def save(self, folder: Path) -> None:
        (folder / FOLDER).mkdir(parents=True, exist_ok=True)
        content = {"form": LEDGER_FORM, **vars(self), "landed": [vars(one) for one in self.landed]}
        text = json.dumps(content, ensure_ascii=False, sort_keys=True)
        (folder / FOLDER / "ledger.json").write_text(text, "utf-8")

    @classmethod
    def open(cls, snapshot: Snapshot | None) -> "Ledger | None":
        """The ledger of a snapshot; None where there is none, or one of an older form."""
        if snapshot is None:
            return None
        file = snapshot.folder / FOLDER / "ledger.json"
        if not file.is_file():
            return None
        content = json.loads(file.read_text("utf-8"))
        if content.pop("form", None) != LEDGER_FORM:
            return None
        content["landed"] = [Landed(**landed) for landed in content["landed"]]
        return cls(**content)


def landed_before(workspace: Workspace) -> list[Landed]:
    """The landed files of the newest snapshot that knows some, of whatever form: exports may be gone by now."""
    known = {one.name for one in fields(Landed)}
    for file in sorted(workspace.folder.glob(f"history/[0-9]*/{FOLDER}/ledger.json"), reverse=True):
        try:
            landed = json.loads(file.read_text("utf-8"))["landed"]
            found = [Landed(**{name: value for name, value in one.items() if name in known}) for one in landed]
        except (OSError, ValueError, KeyError, TypeError, AttributeError):
            continue
        return [one for one in found if one.parquet(workspace).is_file()]
    return []


def content_hashes(folder: Path, before: Path | None, known: Mapping[str, str]) -> dict[str, str]:
    """The hash of every published file of a snapshot; those linked from the one before are known."""
    found, new = {}, {}
    for path in sorted(path for path in folder.rglob("*") if path.is_file()):
        name = path.relative_to(folder).as_posix()
        if name.startswith(FOLDER + "/"):
            continue
        former = before / name if before is not None and name in known else None
        if former is not None and former.is_file() and former.samefile(path):
            found[name] = known[name]
        else:
            new[name] = path
    found |= zip(new, hashes_of(list(new.values())), strict=True)
    return dict(sorted(found.items()))


def content_of_all(hashes: Mapping[str, str]) -> str:
    """A short hash over the published files."""
    return hashlib.sha256(json.dumps(sorted(hashes.items())).encode()).hexdigest()[:8]
