"""Whether a block of a CSV file is plain, looked at as bytes: every record whole, so that any reader splits it alike.

A block without quotes is proven by deleting all bytes but delimiters and line ends: what is left must be the same
line again and again. Only a block with quotes is looked at byte by byte.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa

QUOTE, LF, CR, NUL = b'"', b"\n", b"\r", b"\0"
MOST_LINES = 100  # of one record; a quote still open after so many lines was never meant to be
LONG = 900_000  # bytes; a line certainly shorter than twice this is within the reader's own limit of 2,000,000


@dataclass(frozen=True)
class Shape:
    """What every record of a file looks like: its delimiter, its number of fields, its line end."""

    delimiter: str
    width: int
    end: bytes

    @property
    def separators(self) -> bytes:
        """The delimiters and the line end of one record."""
        return self.delimiter.encode() * (self.width - 1) + self.end


@dataclass(frozen=True)
class Plain:
    """The records of a plain block, and whether a quoted field holds a line end."""

    records: int
    wrapped: bool = False


def plain(block: bytes, shape: Shape) -> Plain | None:
    """Return what a block of whole lines holds if all of its records are whole, else None.

    Not plain are: a record with fewer or more fields, blank lines, quotes inside an unquoted field or left open,
    other line ends, NUL, delimiters of several bytes, and lines that may be longer than LONG.
    """
    if not shape.delimiter.isascii() or not _has_short_lines(block) or _has_blanks(block, shape):
        return None
    if QUOTE in block:
        return _with_quotes(block, shape)
    left = block.translate(None, _ordinary(shape.delimiter.encode()))
    records = len(left) // len(shape.separators)
    if left != shape.separators * records:
        return None
    # a carriage return apart from its line feed leaves the same signs, but is no line end
    return Plain(records) if shape.end == LF or block.count(shape.end) == records else None


def is_utf8(block: bytes) -> bool:
    """Whether a block is utf-8, by Arrow's validation, which is many times faster than decoding."""
    if block.isascii():
        return True
    ends = pa.py_buffer(np.array([0, len(block)], np.int64))
    text = pa.Array.from_buffers(pa.large_utf8(), 1, [None, ends, pa.py_buffer(block)])
    try:
        text.validate(full=True)
    except pa.ArrowInvalid:
        return False
    return True


def _ordinary(delimiter: bytes) -> bytes:
    """Every byte that means nothing to a CSV reader."""
    return bytes(set(range(256)) - set(delimiter + QUOTE + CR + LF + NUL))


def _has_short_lines(block: bytes) -> bool:
    return all(block.find(LF, place, place + LONG) >= 0 for place in range(0, len(block) - LONG, LONG))


def _has_blanks(block: bytes, shape: Shape) -> bool:
    """Blank lines of a file with one column; with more columns the missing delimiters show them."""
    return shape.width == 1 and (block.startswith((LF, CR)) or b"\n\n" in block or b"\n\r\n" in block)


def _with_quotes(block: bytes, shape: Shape) -> Plain | None:
    """The same for a block with quotes, by the places of its quotes."""
    returns = block.count(CR) if CR in block else 0
    if NUL in block or returns != (block.count(b"\r\n") if shape.end != LF else 0):
        return None
    signs = np.frombuffer(block, np.uint8)
    quotes = np.flatnonzero(signs == QUOTE[0])
    if len(quotes) % 2 or not _stand_at_edges(signs, quotes, shape):
        return None
    left = block.translate(None, _ordinary(shape.delimiter.encode()) + CR)
    pattern = shape.separators.replace(CR, b"")
    found = _without_separators_in_quotes(left, pattern) or _with_separators_in_quotes(left, pattern)
    if found is None or (shape.end != LF and returns != found.records):
        return None
    return found if not found.wrapped or _are_short(signs, shape) else None


def _without_separators_in_quotes(left: bytes, pattern: bytes) -> Plain | None:
    """The quotes of a field then stand side by side among what is left, in pairs."""
    bare = left.replace(b'""', b"")
    records = len(bare) // len(pattern)
    return Plain(records) if bare == pattern * records else None


def _with_separators_in_quotes(left: bytes, pattern: bytes) -> Plain | None:
    kinds = np.frombuffer(left, np.uint8)
    between = kinds[_between(kinds)]
    if len(between) % len(pattern) or not (between.reshape(-1, len(pattern)) == list(pattern)).all():
        return None
    records = len(between) // len(pattern)
    return Plain(records, wrapped=int(np.count_nonzero(kinds == LF[0])) > records)


def _between(kinds: Any) -> Any:
    """Where separators stand outside quoted fields."""
    quotes = kinds == QUOTE[0]
    within = (np.cumsum(quotes, dtype=np.uint8) & 1).view(bool)  # after this sign a quoted field is open
    return ~(quotes | within)


def _stand_at_edges(signs: Any, quotes: Any, shape: Shape) -> bool:
    """Every quote that opens follows a separator or another quote; every one that closes stands before one."""
    opening, closing = quotes[::2], quotes[1::2]
    before = signs.take(opening[1:] - 1 if opening[0] == 0 else opening - 1)
    after = signs.take(closing + 1)
    edges = [ord(shape.delimiter), LF[0], QUOTE[0]]
    return _all_among(before, edges) and _all_among(after, [*edges, CR[0]])


def _all_among(signs: Any, known: list[int]) -> bool:
    found = signs == known[0]
    for sign in known[1:]:
        found |= signs == sign
    return bool(found.all())


def _are_short(signs: Any, shape: Shape) -> bool:
    """Records of several lines keep within MOST_LINES and LONG."""
    places = np.flatnonzero((signs == ord(shape.delimiter)) | (signs == QUOTE[0]) | (signs == LF[0]))
    kinds = signs[places]
    ends = kinds == LF[0]
    final = _between(kinds)[ends]  # of all line ends, those that end a record
    lines = np.diff(np.flatnonzero(final), prepend=-1)
    size = np.diff(places[ends][final], prepend=-1)
    return bool(lines.max() <= MOST_LINES and size.max() <= LONG)
