"""A long mapping as one query: each stage computes columns from those of the stage before."""

from collections.abc import Iterable, Mapping
from typing import Any

from features.dialects import asked
from features.expressions import quoted


class Stages:
    """Columns computed stage after stage over an Ibis table; a column is carried on until it is dropped."""

    def __init__(self, table: Any, name: str) -> None:
        self._base, self._name, self._depth = table, name, 0
        self.columns: list[str] = list(table.columns)
        self._sql = ""

    def then(self, computed: Mapping[str, str], keep: Iterable[str] | None = None) -> None:
        """Add a stage: SQL expressions by the name of their column, beside the columns kept (all where not given).

        A name that is there already is computed anew from the old value.
        """
        carried = [column for column in (self.columns if keep is None else keep) if column not in computed]
        listed = ", ".join([*map(quoted, carried), *(f"{sql} AS {quoted(name)}" for name, sql in computed.items())])
        source = f"({self._sql}) AS {quoted(f'stage_{self._depth}')}" if self._sql else quoted(self._view)
        self._sql = f"SELECT {listed} FROM {source}"
        self._depth += 1
        self.columns = [*carried, *computed]

    @property
    def _view(self) -> str:
        return f"mapped_{self._name}"

    def table(self) -> Any:
        """The last stage as an Ibis table of whatever engine the first one is of."""
        return asked(self._base, self._view, self._sql) if self._sql else self._base
