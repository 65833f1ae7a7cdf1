"""Records of arrays as plain files: one .npy per array, opened memory-mapped, and the rest in one JSON."""

import json
from dataclasses import fields
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt

from features.errors import BundleError

Record = TypeVar("Record")


def save_record(folder: Path, record: Any) -> None:
    """Write a dataclass whose fields are arrays or JSON values into `folder`."""
    folder.mkdir(parents=True, exist_ok=True)
    facts = {}
    for name in _names(type(record)):
        value = getattr(record, name)
        if isinstance(value, np.ndarray):
            save_array(folder, name, value)
        else:
            facts[name] = value
    save_json(folder, "record", facts)


def open_record(folder: Path, kind: type[Record]) -> Record:
    """Reopen what `save_record` wrote. Raises BundleError when a file is missing or damaged."""
    facts = open_json(folder, "record")
    return kind(**{name: facts[name] if name in facts else open_array(folder, name) for name in _names(kind)})


def _names(kind: Any) -> list[str]:
    return [field.name for field in fields(kind)]


def save_array(folder: Path, name: str, values: npt.NDArray[Any]) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    np.save(folder / f"{name}.npy", values, allow_pickle=False)


def open_array(folder: Path, name: str) -> npt.NDArray[Any]:
    """Map an array into memory, read-only. Raises BundleError when it is missing or damaged."""
    path = folder / f"{name}.npy"
    try:
        mapped = np.load(path, mmap_mode="r", allow_pickle=False)
    except (OSError, ValueError, EOFError) as fault:
        raise BundleError(f"{path} is missing or damaged ({fault}): train and release again") from fault
    return np.asarray(mapped)


def save_json(folder: Path, name: str, content: Any) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{name}.json").write_text(json.dumps(content, ensure_ascii=False), "utf-8")


def open_json(folder: Path, name: str) -> Any:
    """Read a JSON file. Raises BundleError when it is missing or damaged."""
    path = folder / f"{name}.json"
    try:
        return json.loads(path.read_text("utf-8"))
    except (OSError, ValueError) as fault:
        raise BundleError(f"{path} is missing or damaged ({fault}): train and release again") from fault
