"""What people decided about accounts, one JSON line each, never changed: they are replayed at every resolution."""

import hashlib
import json
import os
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import date, datetime
from pathlib import Path
from typing import Any, Literal

import pyarrow as pa

from features.errors import WorkspaceError
from features.workspace import Workspace

Action = Literal["together", "apart"]
SCHEMA = pa.schema(
    {"decision": pa.int64(), "action": pa.string(), "account_id": pa.string(), "decided_on": pa.date32()}
)


@dataclass(frozen=True)
class Decision:
    """One decision: `together` makes the accounts one customer, `apart` takes each out of all evidence.

    The later decision counts: what is apart is no longer joined by an earlier `together`. It holds from `from_day`,
    the last day of the history that the author looked at, and changes nothing as of an earlier day.
    """

    at: datetime
    author: str
    action: Action
    accounts: tuple[str, ...]
    reason: str
    from_day: date


def decisions_file(workspace: Workspace) -> Path:
    return workspace.folder / "identity" / "decisions.jsonl"


def append(workspace: Workspace, decision: Decision) -> None:
    """Write a decision behind the others, safely on the disk; hold the workspace's lock while doing it."""
    path = decisions_file(workspace)
    path.parent.mkdir(parents=True, exist_ok=True)
    written = asdict(decision) | {"at": decision.at.isoformat(), "from_day": decision.from_day.isoformat()}
    line = json.dumps(written, ensure_ascii=False) + "\n"
    with path.open("ab") as stream:
        stream.truncate(_whole_bytes(path))  # a process killed while writing left half a line: it never held
        stream.write(line.encode())
        stream.flush()
        os.fsync(stream.fileno())


def _whole_bytes(path: Path) -> int:
    return path.read_bytes().rfind(b"\n") + 1


def decisions_hash(workspace: Workspace) -> str:
    """A hash of what was decided so far; '' where nothing was."""
    path = decisions_file(workspace)
    return hashlib.sha256(path.read_bytes()).hexdigest()[:16] if path.exists() else ""


def read_decisions(workspace: Workspace) -> list[Decision]:
    """All decisions in the order in which they were made; WorkspaceError names a line that is none.

    A last line without its end was cut off by a killed process before anybody was told that it holds: it does not.
    """
    path = decisions_file(workspace)
    if not path.exists():
        return []
    whole, _, _ = path.read_text("utf-8").rpartition("\n")
    return [_decision(path, number, line) for number, line in enumerate(whole.split("\n"), 1) if line.strip()]


def _decision(path: Path, number: int, line: str) -> Decision:
    try:
        given = json.loads(line)
        accounts = tuple(map(str, given.pop("accounts")))
        at, day = datetime.fromisoformat(given.pop("at")), date.fromisoformat(given.pop("from_day"))
        decision = Decision(at=at, accounts=accounts, from_day=day, **given)
    except (ValueError, KeyError, TypeError, AttributeError) as fault:
        raise WorkspaceError(f"{path} line {number} is no decision ({fault}): correct or remove the line") from fault
    if decision.action not in ("together", "apart"):
        raise WorkspaceError(f"{path} line {number}: action {decision.action!r} is neither 'together' nor 'apart'")
    return decision


def decisions_table(decisions: Sequence[Decision]) -> pa.Table:
    """(decision, action, account_id, decided_on): one row per account of each decision, numbered in order."""
    rows: list[dict[str, Any]] = [
        {"decision": number, "action": decision.action, "account_id": account, "decided_on": decision.from_day}
        for number, decision in enumerate(decisions)
        for account in dict.fromkeys(decision.accounts)
    ]
    return pa.Table.from_pylist(rows, SCHEMA)
