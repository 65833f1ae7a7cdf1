"""Arrow columns from whole numbers: texts, clock times and exact decimals, without a Python loop over rows."""

from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from training.sample.plan import LOCAL_SECONDS

Array = npt.NDArray[Any]
DECIMAL = pa.decimal128(18, 4)


def digits(numbers: Array, width: int) -> Any:
    """Whole numbers of at least 0 as texts of `width` digits with leading zeros."""
    figures = np.empty((len(numbers), width), np.uint8)
    rest = numbers.astype(np.int64)
    for place in range(width - 1, -1, -1):
        rest, figures[:, place] = np.divmod(rest, 10)
    figures += ord("0")
    return _texts(figures)


def letters(random: np.random.Generator, rows: int, width: int) -> Any:
    """Random texts of small letters and digits."""
    alphabet = np.frombuffer(b"abcdefghijklmnopqrstuvwxyz0123456789", np.uint8)
    return _texts(alphabet[random.integers(0, 36, (rows, width), np.uint8)])


def _texts(characters: Array) -> Any:
    rows, width = characters.shape
    offsets = np.arange(rows + 1, dtype=np.int32) * width
    return pa.StringArray.from_buffers(rows, pa.py_buffer(offsets), pa.py_buffer(characters.reshape(-1)))


def join(*parts: Any) -> Any:
    """Columns and fixed texts written one after the other; null where a column is."""
    return pc.binary_join_element_wise(*parts, "")


def exact(numbers: Array, scale: int, kind: Any | None = None) -> Any:
    """Whole numbers of 10^-scale as decimals."""
    halves = np.empty((len(numbers), 2), np.int64)
    halves[:, 0] = numbers
    halves[:, 1] = halves[:, 0] >> 63
    kind = kind or pa.decimal128(18, scale)
    return pa.Decimal128Array.from_buffers(kind, len(numbers), [None, pa.py_buffer(halves.reshape(-1))])


def named(codes: Array, names: Any) -> Any:
    """The name of each code, as a dictionary column; null where the code is below 0."""
    indices = pa.array(codes.astype(np.int32), mask=codes < 0)
    return pa.DictionaryArray.from_arrays(indices, pa.array(names, pa.string()))


def text(column: Any) -> Any:
    """Any column as texts."""
    return column.cast(pa.string())


def clock(at: Array, missing: int = -1) -> Any:
    """Local seconds as 2024-01-15 09:30:00, null where they are `missing`."""
    return text(pa.array(at, pa.timestamp("s"), mask=at == missing))


def utc(at: Array, missing: int = -1) -> Any:
    """Local seconds as UTC instants."""
    return pa.array((at - LOCAL_SECONDS) * 1_000_000, pa.timestamp("us"), mask=at == missing)


def utc_text(at: Array) -> Any:
    """Local seconds as ISO instants in UTC with their offset."""
    written = text(pa.array(at - LOCAL_SECONDS, pa.timestamp("s")))
    return join(pc.replace_substring(written, " ", "T"), "+00:00")


def day_text(plan_day: Any) -> str:
    """A day as 20240115."""
    return f"{plan_day:%Y%m%d}"
