"""What a file's rows find in the files laid beside its source.

When a joined file grows (order headers of a new day), only the files whose rows find something else than before have to
be mapped again. Each landed file keeps the hashes of its join keys, of what they found, and where. What was found in a
joined file that is no longer there still holds.
"""

from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

from features.channels.export import FILE
from features.engine import Engine
from features.expressions import file_literal, literal, quoted
from features.joins import Beside


@dataclass(frozen=True)
class Moved:
    """How what a landed file finds differs from what it found: whether it does, and a joined file that it lost."""

    changed: bool
    lost: str | None


def write_found(engine: Engine, name: str, besides: tuple[Beside, ...], folder: Path, file: Path) -> str:
    """Write what the opened export of `name` finds in each of its joined files, and give a hash of it all.

    Columns: beside (the number of the join), key and found (hashes), file (below `folder`); the last two are null
    where nothing was found.
    """
    view = quoted(f"export_{name}")
    asked = " UNION ALL ".join(
        f"SELECT DISTINCT {beside.number} AS beside, {_hash(list(beside.join.on))} AS key FROM {view}"
        for beside in besides
    )
    engine.run(
        f"COPY (SELECT asked.beside, asked.key, found, file FROM ({asked}) AS asked LEFT JOIN "
        f"({_given(name, besides, folder)}) AS given ON asked.beside = given.beside AND asked.key = given.key) "
        f"TO {literal(str(file))} (FORMAT parquet, COMPRESSION zstd)"
    )
    (found,) = engine.rows(
        f"SELECT coalesce(bit_xor(hash(beside, key, found)), 0) FROM read_parquet({file_literal(file)}) "
        "WHERE found IS NOT NULL"
    )
    return f"{found[0]:016x}"


def moved(
    engine: Engine, name: str, besides: tuple[Beside, ...], folder: Path, present: Collection[str],
    found: dict[str, Path],
) -> dict[str, Moved]:  # fmt: skip
    """How each of `found` (name = file that write_found wrote) differs; `present` are the joined files there are."""
    if not found:
        return {}
    listed = ", ".join(file_literal(file) for file in found.values())
    there = ", ".join(map(literal, sorted(present))) or "NULL"
    lost = f"now.found IS NULL AND was.found IS NOT NULL AND was.file NOT IN ({there})" if present else \
        "now.found IS NULL AND was.found IS NOT NULL"  # fmt: skip
    rows = engine.rows(
        f"SELECT filename, bool_or(now.found IS DISTINCT FROM was.found AND NOT ({lost})), "
        f"min(was.file) FILTER ({lost}) FROM read_parquet([{listed}], filename = true) AS was LEFT JOIN "
        f"({_given(name, besides, folder)}) AS now ON was.beside = now.beside AND was.key = now.key GROUP BY filename"
    )
    said = {file: Moved(changed, gone) for file, changed, gone in rows}
    return {name: said.get(str(file), Moved(False, None)) for name, file in found.items()}


def found_in(engine: Engine, found: Collection[Path]) -> list[str]:
    """The joined files in which landed files found something, from the files that write_found wrote."""
    if not found:
        return []
    listed = ", ".join(file_literal(file) for file in sorted(found))
    query = f"SELECT DISTINCT file FROM read_parquet([{listed}]) WHERE file IS NOT NULL ORDER BY 1"
    return [row[0] for row in engine.rows(query)]


def _given(name: str, besides: tuple[Beside, ...], folder: Path) -> str:
    """SQL of what each key finds now, and in which file."""
    start = literal(folder.as_posix() + "/")
    parts = ["SELECT 0 AS beside, 0::UBIGINT AS key, 0::UBIGINT AS found, '' AS file WHERE false"]
    for beside in besides:
        row = f"hash({', '.join(map(quoted, beside.columns))})"
        file = f"CASE WHEN starts_with({FILE}, {start}) THEN substr({FILE}, length({start}) + 1) ELSE {FILE} END"
        parts.append(
            f"SELECT {beside.number} AS beside, {_hash(list(beside.join.on.values()))} AS key, {row} AS found, "
            f"{file} AS file FROM {quoted(f'first_{name}_join{beside.number}')}"
        )
    return " UNION ALL ".join(parts)


def _hash(columns: list[str]) -> str:
    texts = ", ".join(f"CAST({quoted(column)} AS VARCHAR)" for column in columns)
    return f"hash({texts})"
