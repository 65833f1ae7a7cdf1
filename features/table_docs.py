"""The page docs/tables.md, written from the vocabulary."""

from features.tables import SOURCE_TABLES, TABLES, Column, Table

HEAD = """# Tables

Written by `python -m features.tables` from `features/tables.py`; do not edit it by hand.

Instants end in `_at` and are UTC; days are local business dates; money is decimal, in the retailer's one
currency; quantities carry their unit in the name. A recipe fills the tables marked *from a recipe*; ingest, the
models and the server write the others. A row that breaks a check goes to the quarantine with the check's reason.
"""


def tables_page() -> str:
    """The whole page as Markdown."""
    return HEAD + "".join(_section(table) for table in TABLES)


def _section(table: Table) -> str:
    origin = " (*from a recipe*)" if table.name in SOURCE_TABLES else ""
    key = ", ".join(f"`{name}`" for name in table.key)
    rows = "".join(_row(column) for column in table.columns)
    rules = "".join(f"- {check.reason}\n" for check in table.checks)
    return (
        f"\n## {table.name}{origin}\n\n{table.meaning} Key: {key}.\n\n"
        f"| column | kind | required | default | meaning | goes to quarantine when |\n"
        f"| --- | --- | --- | --- | --- | --- |\n{rows}" + (f"\nAlso when:\n\n{rules}" if rules else "")
    )


def _row(column: Column) -> str:
    checks = "; ".join(check.reason for check in column.checks)
    default = f"`{column.default}`" if column.default else ""
    required = "yes" if column.required else ""
    return f"| `{column.name}` | {column.kind} | {required} | {default} | {column.meaning} | {checks} |\n"
