"""The physical lines of a CSV file put together to records, and what is broken told from what is whole."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TextIO

QUOTE = '"'
MOST_LINES = 100  # of one record; a quote still open after so many lines was never meant to be


@dataclass(frozen=True)
class Line:
    """A broken line: its number in the file from 1 on, its text, and what is wrong with it."""

    number: int
    text: str
    reason: str


@dataclass
class Records:
    """How many records were whole (the header not counted), and the broken lines."""

    good: int = 0
    broken: list[Line] = field(default_factory=list)


def records_of(lines: TextIO, delimiter: str, width: int, target: TextIO) -> Records:
    """Copy the whole records of a CSV file to `target`, one line end for all; its first record is the header.

    A record is whole when its quotes close and it has `width` fields. A quote that does not close within
    MOST_LINES lines breaks its own line only, and reading goes on with the next line. Blank lines are no records.
    """
    records = Records(good=-1)
    waiting = _Lookahead(lines)
    while (first := waiting.next()) is not None:
        number, text = first
        if not text:
            continue
        taken = _together(text, waiting, delimiter, width)
        fault = "a quote is not closed or stands inside a field" if taken is None else _fault(taken, delimiter, width)
        if fault and records.good >= 0:
            records.broken.append(Line(number, text if taken is None else taken, fault))
            continue
        target.write((taken or text) + "\n")
        records.good += 1
    return records


class _Lookahead:
    """Numbered lines without their ends, that can be looked at before they are taken."""

    def __init__(self, lines: TextIO) -> None:
        self._lines = ((number, _bare(line)) for number, line in enumerate(_split(lines), 1))
        self._held: list[tuple[int, str]] = []

    def next(self) -> tuple[int, str] | None:
        return self._held.pop(0) if self._held else next(self._lines, None)

    def look(self) -> Iterator[str]:
        """The coming lines in order, left where they are."""
        for _, text in list(self._held):
            yield text
        for pair in self._lines:
            self._held.append(pair)
            yield pair[1]

    def drop(self, lines: int) -> None:
        del self._held[:lines]


def _split(lines: TextIO) -> Iterator[str]:
    """Lines ended by CR LF, LF, or CR alone."""
    for line in lines:
        if "\r" in line[:-2]:
            yield from line.replace("\r\n", "\n").replace("\r", "\n").splitlines(keepends=False) or [""]
        else:
            yield line


def _bare(line: str) -> str:
    return line.rstrip("\r\n")


def _together(text: str, waiting: _Lookahead, delimiter: str, width: int) -> str | None:
    """The whole record that begins with `text`: the line itself, or with the lines that close its open quote."""
    if text.count(QUOTE) % 2 == 0:
        return text
    parts = [text]
    for more in waiting.look():
        parts.append(more)
        if more.count(QUOTE) % 2:
            whole = "\n".join(parts)
            if _fault(whole, delimiter, width):
                return None
            waiting.drop(len(parts) - 1)
            return whole
        if len(parts) > MOST_LINES:
            return None
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
