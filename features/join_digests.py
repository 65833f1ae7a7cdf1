"""What a file's rows find in the files laid beside its source, as one number per file.

When a joined file grows (order headers of a new day), only the files whose rows find something else than before
have to be mapped again. Each landed file keeps the hashes of its join keys.
"""

from pathlib import Path

from features.engine import Engine
from features.expressions import literal, quoted
from features.joins import Beside


def write_keys(engine: Engine, name: str, besides: tuple[Beside, ...], file: Path) -> None:
    """Write the distinct keys by which the opened export of `name` asks each of its joined files."""
    view = quoted(f"export_{name}")
    parts = [
        f"SELECT DISTINCT {number} AS beside, {_hash(list(beside.join.on))} AS key FROM {view}"
        for number, beside in enumerate(besides)
    ]
    engine.run(f"COPY ({' UNION ALL '.join(parts)}) TO {literal(str(file))} (FORMAT parquet, COMPRESSION zstd)")


def digests(engine: Engine, name: str, besides: tuple[Beside, ...], keys: dict[str, Path]) -> dict[str, str]:
    """For each content in `keys` (content = file of its keys): a hash of all joined rows that its keys find."""
    parts = []
    for number, beside in enumerate(besides):
        table = quoted(f"first_{name}_join{number}")
        row = f"hash({', '.join(map(quoted, beside.columns))})"
        parts.append(
            f"SELECT {number} AS beside, {_hash(list(beside.join.on.values()))} AS key, {row} AS found FROM {table}"
        )
    listed = ", ".join(literal(str(file)) for file in keys.values())
    rows = dict(
        engine.rows(
            f"SELECT filename, bit_xor(hash(asked.beside, asked.key, found)) FROM "
            f"read_parquet([{listed}], filename = true) AS asked JOIN ({' UNION ALL '.join(parts)}) AS given "
            "ON asked.beside = given.beside AND asked.key = given.key GROUP BY filename"
        )
    )
    return {content: f"{rows.get(str(file), 0):016x}" for content, file in keys.items()}


def _hash(columns: list[str]) -> str:
    texts = ", ".join(f"CAST({quoted(column)} AS VARCHAR)" for column in columns)
    return f"hash({texts})"
