"""Physical lines of a CSV file put together to records, one by one, and what is broken told from what is whole."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import BinaryIO

from features.channels.plain import LONG, MOST_LINES, Shape

QUOTE = '"'
LONGEST = 16 * 1024 * 1024  # characters of one record
SHOWN = 1000  # characters of a line that is too long


@dataclass(frozen=True)
class Line:
    """A broken line: its number in the file from 1 on, its text, and what is wrong with it."""

    number: int
    text: str
    reason: str


@dataclass
class Records:
    """How many records were whole, the broken lines, and what a reader of the whole ones must be ready for."""

    good: int = 0
    broken: list[Line] = field(default_factory=list)
    wrapped: bool = False  # a quoted field holds a line end
    long: bool = False  # a record may be longer than twice LONG


def records_of(lines: Sequence[str], least: int, first: int, shape: Shape, target: BinaryIO, records: Records) -> int:
    """Copy the whole records among `lines` to `target`, and count them and the broken ones in `records`.

    Returns how many lines were taken: at least `least`, and the further ones only look out for a quote that closes.
    `first` is the number of the first line in the file. A record is whole when its quotes close and it has the
    shape's width. A quote that does not close within MOST_LINES lines breaks its own line only, and reading goes on
    with the next line. Blank lines are no records. Every record is ended by one line feed.
    """
    taken = 0
    while taken < least:
        text = lines[taken]
        if not text:
            taken += 1
            continue
        record, fault, size = _record(lines, taken, shape)
        if fault:
            records.broken.append(Line(first + taken, record, fault))
        else:
            target.write((record + "\n").encode())
            records.good += 1
            records.wrapped |= size > 1
            records.long |= len(record) > LONG // 4  # characters of up to four bytes
        taken += size
    return taken


def _record(lines: Sequence[str], at: int, shape: Shape) -> tuple[str, str | None, int]:
    """The record that begins at a line: its text, what is wrong with it, and how many lines it takes."""
    together = _together(lines, at, shape)
    if together is None:
        return lines[at][:LONGEST], "a quote is not closed or stands inside a field", 1
    text, size = together
    if len(text) > LONGEST:
        return text[:SHOWN], "is longer than 16 MiB", size
    return text, _fault(text, shape.delimiter, shape.width), size


def _together(lines: Sequence[str], at: int, shape: Shape) -> tuple[str, int] | None:
    """The whole record that begins at a line: the line itself, or with the lines that close its open quote."""
    if lines[at].count(QUOTE) % 2 == 0:
        return lines[at], 1
    for size in range(2, min(MOST_LINES, len(lines) - at) + 1):
        if lines[at + size - 1].count(QUOTE) % 2:
            whole = "\n".join(lines[at : at + size])
            return None if _fault(whole, shape.delimiter, shape.width) else (whole, size)
    return None


def _fault(record: str, delimiter: str, width: int) -> str | None:
    """What is wrong with a record whose quotes are even in number, or None."""
    if QUOTE not in record:
        fields = record.count(delimiter) + 1
    else:
        counted = _fields(record, delimiter)
        if counted is None:
            return "a quote is not closed or stands inside a field"
        fields = counted
    return None if fields == width else f"has {'fewer' if fields < width else 'more'} fields than the header"


def _fields(record: str, delimiter: str) -> int | None:
    """How many fields a record with quotes has; None where a quote stands where none may."""
    fields, place = 0, 0
    while True:
        fields += 1
        if record.startswith(QUOTE, place):
            place = _closing(record, place + 1)
            if place < 0 or (place < len(record) and record[place] != delimiter):
                return None
            end = place
        else:
            end = record.find(delimiter, place)
            end = len(record) if end < 0 else end
            if QUOTE in record[place:end]:
                return None
        if end >= len(record):
            return fields
        place = end + 1


def _closing(record: str, place: int) -> int:
    """The place after the quote that closes the field, past doubled ones; -1 where there is none."""
    while True:
        place = record.find(QUOTE, place)
        if place < 0:
            return -1
        if not record.startswith(QUOTE, place + 1):
            return place + 1
        place += 2
