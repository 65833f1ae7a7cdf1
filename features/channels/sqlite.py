"""A table or view of an SQLite file."""

import sqlite3
from contextlib import closing

from features.channels.copied import Copied, copy_values
from features.channels.databases import relation_of
from features.channels.export import Wanted
from features.errors import RecipeError, SourceError, did_you_mean


def copy_sqlite(wanted: Wanted) -> Copied:
    """Copy a relation, read-only; a column of numbers and texts becomes texts, as SQLite lets both stand in one."""
    relation = relation_of(wanted, '"')
    try:
        with closing(sqlite3.connect(f"{wanted.file.resolve().as_uri()}?mode=ro", uri=True)) as database:
            known = [
                name for (name,) in database.execute("SELECT name FROM sqlite_master WHERE type IN ('table', 'view')")
            ]
            if "." not in relation and wanted.source.relation not in known:
                given = str(wanted.source.relation)
                raise RecipeError(
                    f"sources.{wanted.name}: {wanted.file} has no table or view {given!r}{did_you_mean(given, known)}"
                )
            rows = database.execute(f"SELECT * FROM {relation}")
            return copy_values(wanted, [column[0] for column in rows.description], rows)
    except sqlite3.Error as fault:
        raise SourceError(
            f"sources.{wanted.name}: cannot read {wanted.place}: {fault}: check that it is an SQLite file, "
            "or copy it again"
        ) from fault
