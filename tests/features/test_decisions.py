"""Decisions about accounts are appended, survive a kill, and are replayed in order."""

from datetime import UTC, date, datetime
from pathlib import Path

import pytest

from features.decisions import Decision, append, decisions_file, decisions_table, read_decisions
from features.errors import WorkspaceError
from features.workspace import Workspace

MERGE = Decision(datetime(2024, 3, 2, 9, tzinfo=UTC), "li", "together", ("app:1", "pos:7"), "同一人", date(2024, 3, 1))
SPLIT = Decision(datetime(2024, 3, 3, 9, tzinfo=UTC), "wang", "apart", ("pos:7",), "her son's", date(2024, 3, 2))


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    return Workspace(tmp_path)


def test_decisions_are_read_as_they_were_written(workspace):
    assert read_decisions(workspace) == []
    append(workspace, MERGE)
    append(workspace, SPLIT)
    assert read_decisions(workspace) == [MERGE, SPLIT]


def test_each_account_of_a_decision_is_a_row(workspace):
    assert decisions_table([MERGE, SPLIT]).to_pylist() == [
        {"decision": 0, "action": "together", "account_id": "app:1", "decided_on": date(2024, 3, 1)},
        {"decision": 0, "action": "together", "account_id": "pos:7", "decided_on": date(2024, 3, 1)},
        {"decision": 1, "action": "apart", "account_id": "pos:7", "decided_on": date(2024, 3, 2)},
    ]
    assert decisions_table([]).num_rows == 0


def test_half_a_line_of_a_killed_process_is_no_decision_and_harms_no_later_one(workspace):
    append(workspace, MERGE)
    path = decisions_file(workspace)
    path.write_text(path.read_text("utf-8") + '{"at": "2024-03', "utf-8")
    assert read_decisions(workspace) == [MERGE]
    append(workspace, SPLIT)
    assert read_decisions(workspace) == [MERGE, SPLIT]


@pytest.mark.parametrize("line", ["not json", "[]", '{"action": "together"}'])
def test_a_line_that_is_no_decision_is_named(workspace, line):
    append(workspace, MERGE)
    with decisions_file(workspace).open("a", encoding="utf-8") as stream:
        stream.write(line + "\n")
    with pytest.raises(WorkspaceError, match=r"decisions\.jsonl line 2 is no decision .* correct or remove the line"):
        read_decisions(workspace)
