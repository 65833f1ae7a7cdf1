"""The bytes of a text file, unpacked and in utf-8, block by block of whole lines."""

import codecs
import gzip
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from features.channels.export import Format
from features.channels.plain import CR, LF, MOST_LINES, QUOTE, is_utf8
from features.errors import RecipeError, SourceError

BLOCK = 1024 * 1024  # small enough for the processor's cache, which makes looking at it twice as fast
LONGEST_LINE = 256 * 1024 * 1024  # bytes; more without a line end is no text file
BOM = "\ufeff".encode()


class Blocks:
    """What is still to be read of a file: looked at first, taken when it is done with."""

    def __init__(self, read: Callable[[int], bytes], name: str) -> None:
        self._read, self._name = read, name
        self._held, self._at, self._ended = b"", 0, False
        self.lines = 0  # taken so far
        if self._fill(len(BOM)) and self._held.startswith(BOM):
            self._at = len(BOM)

    def look(self, size: int, lines_more: int = 0) -> bytes:
        """Whole lines of about `size` bytes, none at the end; with `lines_more` so many lines beyond.

        The last line of a file without a line end gets one. Raises UnicodeDecodeError where it is no utf-8.
        """
        end = self._cut(size)
        for _ in range(lines_more):
            end = self._line_end(end)
        block = self._held[self._at : end]
        if not is_utf8(block):
            block.decode("utf-8")
        return block

    def take(self, size: int, lines: int) -> None:
        """Go on behind `size` bytes, that held so many lines."""
        self._at += size
        self.lines += lines

    def _fill(self, size: int) -> int:
        """Hold at least `size` bytes from here on if there are as many; how many are held."""
        have = len(self._held) - self._at
        if have >= size or self._ended:
            return have
        parts = [self._held[self._at :]]
        while have < size and not self._ended:
            more = self._read(max(BLOCK, size - have))
            self._ended = more == b""
            parts.append(more)
            have += len(more)
        self._held, self._at = b"".join(parts), 0
        if self._ended and self._held and not self._held.endswith((LF, CR)):
            self._held += b"\r\n" if b"\r\n" in self._held else LF
        return len(self._held)

    def _cut(self, size: int) -> int:
        """The place in the held bytes behind the last line that ends within `size`, outside quotes if that can be."""
        have = self._fill(size + 1)
        if have == 0:
            return self._at
        limit = self._at + min(size, have)
        end = self._held.rfind(LF, self._at, limit) + 1
        if end == 0:
            end = self._held.rfind(CR, self._at, limit - 1) + 1 or self._line_end(self._at)
        return self._outside_quotes(end)

    def _outside_quotes(self, end: int) -> int:
        """The last line end up to `end` with an even number of quotes before it, if one is near; else `end`."""
        if self._held.find(QUOTE, self._at, end) < 0:  # many times faster than to count none
            return end
        odd = self._held.count(QUOTE, self._at, end) % 2
        place = end
        for _ in range(MOST_LINES):
            if not odd:
                return place
            before = self._held.rfind(LF, self._at, place - 1) + 1
            if before == 0:
                return end
            odd = (odd + self._held.count(QUOTE, before, place)) % 2
            place = before
        return end

    def _line_end(self, start: int) -> int:
        """The place behind the line that begins at `start`."""
        size = BLOCK
        while True:
            offset = start - self._at
            have = self._fill(offset + size)
            start = self._at + offset
            ends = [place for sign in (LF, CR) if (place := self._held.find(sign, start)) >= 0]
            if ends or have < offset + size:
                return self._behind(min(ends)) if ends else len(self._held)
            size *= 2
            if size > LONGEST_LINE:
                raise SourceError(f"{self._name} has no line end within {LONGEST_LINE} bytes: it is no CSV file")

    def _behind(self, end: int) -> int:
        return end + 2 if self._held.startswith(b"\r\n", end) else end + 1


@contextmanager
def opened(name: str, file: Path, source: Format) -> Iterator[Blocks]:
    """Open a text file, unpacked and in utf-8; SourceError when it is not what the recipe says."""
    encoding = encoding_of(name, source)
    try:
        with gzip.open(file) if is_packed(file) else file.open("rb") as stream:
            read = stream.read if encoding == "utf-8" else _transcoding(stream.read, encoding)
            yield Blocks(read, f"sources.{name}: {file}")
    except UnicodeError as fault:
        raise SourceError(
            f"sources.{name}: {file} is not written in {source.encoding}: set its encoding in the recipe, "
            f'such as "gbk", "latin-1" or "utf-16" ({fault})'
        ) from fault
    except (EOFError, gzip.BadGzipFile, zlib.error) as fault:
        raise SourceError(
            f"sources.{name}: {file} is truncated or not gzip: copy or export it again ({fault})"
        ) from fault


def is_packed(file: Path) -> bool:
    with file.open("rb") as probe:
        return probe.read(2) == b"\x1f\x8b"


def encoding_of(name: str, source: Format) -> str:
    """The codec's own name of the recipe's encoding."""
    try:
        known = codecs.lookup(source.encoding).name
    except LookupError as fault:
        raise RecipeError(
            f"sources.{name}: unknown encoding {source.encoding!r}: such as utf-8, gbk or latin-1"
        ) from fault
    return "utf-8" if known in {"utf-8-sig", "ascii"} else known


def _transcoding(read: Callable[[int], bytes], encoding: str) -> Callable[[int], bytes]:
    decoder = codecs.getincrementaldecoder(encoding)()

    def transcoded(size: int) -> bytes:
        while raw := read(size):
            if text := decoder.decode(raw):
                return text.encode()
        return decoder.decode(b"", final=True).encode()

    return transcoded
