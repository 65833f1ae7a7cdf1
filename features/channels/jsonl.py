"""JSON lines: every line one object; nested objects become structs, arrays become lists.

The structure is that of every line of the file, not of a sample, so that no value is lost to a type that an earlier
line suggested; a key that a line lacks is null there.
"""

import json
from dataclasses import dataclass, replace
from functools import reduce
from pathlib import Path
from typing import Any, BinaryIO

from features.channels.blocks import BLOCK, LONGEST_LINE, Blocks, encoding_of, is_packed, opened
from features.channels.export import ROW, Broken, Export, Wanted
from features.channels.plain import CR, LF, LONG
from features.errors import SourceError
from features.expressions import file_literal, literal, quoted

DIGITS = bytes(ord("0") if chr(sign).isdigit() and sign < 128 else sign for sign in range(256))
LONG_NUMBER = b"0" * 16  # longer ones are beyond what a float holds to the last digit
BLANK = "text IS NULL OR trim(text, ' \t\r') = ''"
REPLACED = bytes.maketrans(b"\x01\0\r", b"\x02\x02 ")
NEVER = b"\x01"  # no JSON holds it unescaped, so it can stand as the delimiter of a file with one column


@dataclass
class Lines:
    """What a look at the bytes says: whether they must be copied to be read, and what to be ready for."""

    returns: bool = False  # lines end with CR LF
    odd: bool = False  # holds signs that no JSON holds, or line ends of several kinds
    long: bool = False  # a line may be very long
    long_numbers: bool = False


def read_jsonl(wanted: Wanted) -> Export:
    """Read JSON lines; a line that is no JSON object is broken."""
    place, seen = _readable(wanted)
    lines = f"(SELECT text, {_is_object('text')} AS fine FROM {_texts(place, seen)})"
    # one parsing of each line says both whether it is an object and what is in it
    shape = "CAST(json_structure(TRY_CAST(text AS JSON)) AS VARCHAR)"
    shapes = wanted.engine.rows(
        f"SELECT CASE WHEN shape LIKE '{{%' THEN shape END AS shape, count(*) AS lines, bool_and({BLANK}) "
        f"FROM (SELECT text, {shape} AS shape FROM {_texts(place, seen)}) GROUP BY 1 ORDER BY lines DESC, shape"
    )
    whole = [(json.loads(found), count) for found, count, _ in shapes if found is not None]
    fine = sum(count for _, count in whole)
    structure: dict[str, Any] = reduce(_merged, (found for found, _ in whole), {})
    bad = _broken(wanted, lines) if any(found is None and not blank for found, _, blank in shapes) else ()
    if not structure and not bad and not fine:
        return wanted.nothing()  # a day on which nothing was sold
    if not structure:
        hint = f" (line {bad[0].line} {bad[0].reason})" if bad else ""
        raise SourceError(
            f"sources.{wanted.name}: {wanted.file} holds no JSON object with keys: write one object per line{hint}"
        )
    types = _Types(wanted, lines, seen.long_numbers).of(structure)
    source = _texts(place, seen) if len(whole) == len(shapes) else f"{lines} WHERE fine"
    number = f", row_number() OVER () - 1 AS {quoted(ROW)}" if wanted.numbered else ""
    rows = f"SELECT from_json(text, {literal(json.dumps(types, ensure_ascii=False))}) AS parts FROM {source}"
    return wanted.export(f"SELECT unnest(parts){number} FROM ({rows})", bad, fine)


def _readable(wanted: Wanted) -> tuple[Path, Lines]:
    """The file itself, or a copy in utf-8 that DuckDB can read, and what was seen in it."""
    with opened(wanted.name, wanted.file, wanted.source) as blocks:
        if encoding_of(wanted.name, wanted.source) == "utf-8" and not is_packed(wanted.file):
            found = _looked_at(blocks, None)
            if not found.odd:
                return wanted.file, found
    clean = wanted.engine.scratch / f"clean-{wanted.name}.jsonl"
    with opened(wanted.name, wanted.file, wanted.source) as blocks, clean.open("wb") as target:
        found = _looked_at(blocks, target)
    return clean, replace(found, returns=False)


def _texts(place: Path, found: Lines) -> str:
    """The lines of a file as a relation with the column `text`."""
    end = "\\r\\n" if found.returns else "\\n"
    size = f", max_line_size = {LONGEST_LINE}" if found.long else ""
    return (
        f"(SELECT text FROM read_csv({file_literal(place)}, columns = {{'text': 'VARCHAR'}}, auto_detect = false, "
        f"header = false, delim = '\x01', quote = '', escape = '', new_line = '{end}'{size}))"
    )


def _is_object(text: str) -> str:
    return f"coalesce(CASE WHEN json_valid({text}) THEN json_type({text}) = 'OBJECT' END, false)"


def _looked_at(blocks: Blocks, target: BinaryIO | None) -> Lines:
    """Look over a file; copied to `target` without carriage returns, and with one for every sign that no JSON holds."""
    lines, first = Lines(), True
    while block := blocks.look(BLOCK):
        size = len(block)
        returns = block.count(CR) if CR in block else 0
        alike = returns == 0 or returns == block.count(b"\r\n") == block.count(LF)
        lines.odd |= NEVER in block or b"\0" in block or not alike or not (first or lines.returns == (returns > 0))
        lines.returns |= returns > 0
        first = False
        lines.long |= any(block.find(LF, place, place + LONG) < 0 for place in range(0, size - LONG, LONG))
        lines.long_numbers |= LONG_NUMBER in block.translate(DIGITS)
        if target is not None:
            target.write(block.translate(REPLACED))
        blocks.take(size, 0)
    return lines


def _broken(wanted: Wanted, lines: str) -> tuple[Broken, ...]:
    rows = wanted.engine.rows(
        f"SELECT line, text FROM (SELECT *, row_number() OVER () AS line FROM {lines}) "
        f"WHERE NOT fine AND NOT ({BLANK}) ORDER BY line"
    )
    return tuple(Broken(wanted.place, line, text.rstrip(), _reason(text)) for line, text in rows)


def _reason(text: str) -> str:
    try:
        json.loads(text)
    except ValueError:
        return "is no JSON"
    return "is JSON, but no object"


def _merged(one: Any, other: Any) -> Any:
    """The structure of values of two structures: objects have the keys of both, mixed kinds are JSON."""
    if other in (one, "NULL"):
        return one
    if one == "NULL":
        return other
    if isinstance(one, dict) and isinstance(other, dict):
        return one | {name: _merged(one.get(name, "NULL"), part) for name, part in other.items()}
    if isinstance(one, list) and isinstance(other, list):
        return [reduce(_merged, [*one, *other], "NULL")]
    kinds = {kind if isinstance(kind, str) else "JSON" for kind in (one, other)}
    if kinds <= {"UBIGINT", "BIGINT"}:
        return "BIGINT"
    return "DOUBLE" if kinds <= {"UBIGINT", "BIGINT", "DOUBLE"} else "JSON"


class _Types:
    """From the structure that DuckDB found to the types that values are read as."""

    def __init__(self, wanted: Wanted, lines: str, long_numbers: bool) -> None:
        self.wanted, self.lines, self.long_numbers = wanted, lines, long_numbers

    def of(self, structure: Any, path: str = "$") -> Any:
        if isinstance(structure, dict):
            self._check_names(structure, path)
            return {name: self.of(part, f"{path}.{json.dumps(name)}") for name, part in structure.items()} or "VARCHAR"
        if isinstance(structure, list):
            # of lists that are all empty nobody knows what is in them: JSON can be asked for any key
            return ["JSON" if part == "NULL" else self.of(part, f"{path}[*]") for part in structure]
        return self._scalar(structure, path)

    def _scalar(self, kind: str, path: str) -> str:
        if kind in {"UBIGINT", "BIGINT"}:
            return "HUGEINT" if self.long_numbers else "BIGINT"
        if kind == "DOUBLE" and self.long_numbers and self._has_long_integers(path):
            return "VARCHAR"
        return kind if kind in {"DOUBLE", "BOOLEAN"} else "VARCHAR"  # mixed kinds and nulls alone are texts

    def _has_long_integers(self, path: str) -> bool:
        """Integers beyond 64 bits are numbers to JSON, but ids to people: they keep their digits as texts."""
        pattern = r"(^|[\[,\s])-?\d{16,}($|[\],\s])"
        value = f"CAST(json_extract(text, {literal(path)}) AS VARCHAR)"
        query = f"SELECT count(*) FROM {self.lines} WHERE fine AND regexp_matches({value}, {literal(pattern)})"
        return bool(self.wanted.engine.rows(query)[0][0])

    def _check_names(self, structure: dict[str, Any], path: str) -> None:
        lower = [name.lower() for name in structure]
        twice = sorted(name for name in structure if lower.count(name.lower()) > 1)
        if twice or "" in lower:
            raise SourceError(
                f"sources.{self.wanted.name}: {self.wanted.file} has keys that SQL cannot tell apart in {path} "
                f"({', '.join(twice) or 'an empty key'}): rename them in the export"
            )
