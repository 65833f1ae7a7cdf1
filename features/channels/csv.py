"""CSV exports: every line becomes a row of texts or is listed as broken; none is lost.

A file is first looked at as bytes: where every record of it is proven whole, DuckDB reads it as it lies, in
parallel. Else its whole records are copied to a temporary utf-8 file, and a quote that is never closed costs its own
line only. Both ways give the same rows.
"""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from csv import Error as CsvError
from csv import reader as csv_reader
from dataclasses import replace
from itertools import repeat
from pathlib import Path
from typing import BinaryIO

from features.channels.blocks import BLOCK, Blocks, encoding_of, is_packed, opened
from features.channels.export import Broken, Export, Wanted, counted
from features.channels.lines import LONGEST, Records, records_of
from features.channels.plain import CR, LF, MOST_LINES, Shape, plain
from features.errors import RecipeError, SourceError
from features.expressions import file_literal, literal

AT_ONCE = 2  # blocks looked at in parallel
SMALL = 64 * 1024  # bytes; a faulty block is looked at in smaller ones, and the smallest line by line
DELIMITERS = ",;\t|"  # what "auto" chooses from


def read_csv(wanted: Wanted) -> Export:
    """Read a CSV file into texts, empty fields null."""
    name, file, source = wanted.name, wanted.file, wanted.source
    if source.delimiter != "auto" and len(source.delimiter) != 1:
        raise RecipeError(
            f'sources.{name}: delimiter {source.delimiter!r} is not one character: write such as ";", or "auto"'
        )
    as_it_lies = encoding_of(name, source) == "utf-8" and not is_packed(file)
    records = None
    with opened(name, file, source) as blocks:
        if not blocks.look(SMALL).strip() and len(blocks.look(SMALL + 1)) <= SMALL:
            return wanted.nothing()  # a day on which nothing was sold
        header, shape, plainly = _header(wanted, blocks)
        header_lines = blocks.lines
        if as_it_lies and plainly:
            records = _proven(blocks, shape)
    even = records is not None and not records.wrapped
    place = file
    if records is None:
        place = wanted.engine.scratch / f"clean-{name}.csv"
        with opened(name, file, source) as blocks, place.open("wb") as target:
            _header(wanted, blocks)
            records = _cleaned(blocks, shape, target)
            found = records.good + len(records.broken)
            even = not records.wrapped and blocks.lines - header_lines == found
    relation = _relation(place, header, shape if place == file else replace(shape, end=LF), records, place == file)
    broken = tuple(Broken(str(file), line.number, line.text, line.reason) for line in records.broken)
    select = counted(relation) if wanted.numbered else f"SELECT * FROM {relation}"
    return wanted.export(select, broken, records.good, header_lines + 1 if even else 0)


def _header(wanted: Wanted, blocks: Blocks) -> tuple[list[str], Shape, bool]:
    """Take the header: its names, what it says of the file, and whether it is one line as any reader skips it."""
    name, file = wanted.name, wanted.file
    lines = _split(blocks.look(SMALL, MOST_LINES))
    first = lines[0] if lines else b""
    delimiter = wanted.source.delimiter
    if delimiter == "auto":
        delimiter = max(DELIMITERS, key=lambda sign: first.count(sign.encode()))
    reader = csv_reader((line.decode() for line in lines[:MOST_LINES]), delimiter=delimiter)
    try:
        header = next(reader, [])
    except CsvError as fault:
        raise SourceError(f"sources.{name}: {file} has no header line that can be read: {fault}") from fault
    if not header:
        raise SourceError(f"sources.{name}: {file} has no header line: its first line must name the columns")
    taken = reader.line_num
    if taken == MOST_LINES:
        raise SourceError(f"sources.{name}: {file} has a header whose quote is not closed: export it again")
    blocks.take(sum(map(len, lines[:taken])), taken)
    _check_names(wanted, names := [column.strip() or f"column{number}" for number, column in enumerate(header)])
    end = b"\r\n" if first.endswith(b"\r\n") else LF
    return names, Shape(delimiter, len(names), end), taken == 1 and first.endswith(end)


def _check_names(wanted: Wanted, names: list[str]) -> None:
    lower = [column.lower() for column in names]
    twice = sorted({column for column in names if lower.count(column.lower()) > 1})
    if twice:
        raise SourceError(
            f"sources.{wanted.name}: {wanted.file} names columns twice ({', '.join(twice)}): rename them in the export"
        )


def _proven(blocks: Blocks, shape: Shape) -> Records | None:
    """Count the records of a file that is plain from end to end, else None."""
    records = Records()
    with ThreadPoolExecutor(AT_ONCE) as pool:
        while several := list(_several(blocks)):
            for found in pool.map(plain, several, repeat(shape)):
                # a line end within a field is always a line feed, also where lines end otherwise
                if found is None or (found.wrapped and shape.end != LF):
                    return None
                records.good += found.records
                records.wrapped |= found.wrapped
    return records


def _several(blocks: Blocks) -> Iterator[bytes]:
    for _ in range(AT_ONCE):
        if block := blocks.look(BLOCK):
            blocks.take(len(block), 0)
            yield block


def _cleaned(blocks: Blocks, shape: Shape, target: BinaryIO) -> Records:
    """Copy the whole records of a file: plain blocks as they are, others line by line."""
    records, size = Records(), BLOCK
    while block := blocks.look(size):
        found = plain(block, shape)
        if found is not None:
            target.write(block if shape.end == LF else block.replace(shape.end, LF))
            records.good += found.records
            records.wrapped |= found.wrapped
            blocks.take(len(block), block.count(LF))
            size = min(size * 4, BLOCK)
        elif len(block) > SMALL and size > SMALL:
            size //= 16
        else:
            _line_by_line(blocks, size, shape, target, records)
    return records


def _line_by_line(blocks: Blocks, size: int, shape: Shape, target: BinaryIO, records: Records) -> None:
    least = len(_split(blocks.look(size)))
    lines = _split(blocks.look(size, MOST_LINES))
    texts = [line.rstrip(CR + LF).decode() for line in lines]
    taken = records_of(texts, least, blocks.lines + 1, shape, target, records)
    blocks.take(sum(map(len, lines[:taken])), taken)


def _split(block: bytes) -> list[bytes]:
    """Lines with their ends: CR LF, LF, or CR alone, and no other (unlike those of a text)."""
    return block.splitlines(keepends=True)


def _relation(place: Path, header: list[str], shape: Shape, records: Records, has_header: bool) -> str:
    """The table function that reads a file of whole records only."""
    columns = ", ".join(f"{literal(column)}: 'VARCHAR'" for column in header)
    options = [
        f"columns = {{{columns}}}", "auto_detect = false", f"header = {has_header}".lower(),
        f"delim = {literal(shape.delimiter)}", "quote = '\"'", "escape = '\"'",
        "new_line = '\\r\\n'" if shape.end != LF else "new_line = '\\n'",
    ]  # fmt: skip
    if records.wrapped:  # readers in the middle of a file cannot always tell that they are within quotes
        options.append("parallel = false")
    if records.long:
        options.append(f"max_line_size = {4 * LONGEST}")
    return f"read_csv({file_literal(place)}, {', '.join(options)})"
