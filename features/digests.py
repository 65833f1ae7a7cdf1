"""Hashes of files by their content, on every core."""

import hashlib
import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

PIECE = 64 * 1024 * 1024  # bytes; a larger file is hashed in pieces beside each other
READ = 1024 * 1024  # bytes held at a time


def hash_of(file: Path) -> str:
    """SHA-256 of a file's bytes; of a file above PIECE that of the SHA-256 of its pieces, which stays as firm."""
    size = file.stat().st_size
    if size <= PIECE:
        return _piece(file, 0).hex()
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        pieces = pool.map(lambda start: _piece(file, start), range(0, size, PIECE))
        return hashlib.sha256(b"".join(pieces)).hexdigest()


def hashes_of(files: Sequence[Path]) -> list[str]:
    """The hash of each file."""
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        return list(pool.map(hash_of, files))


def _piece(file: Path, start: int) -> bytes:
    digest, left = hashlib.sha256(), PIECE
    with file.open("rb") as stream:
        stream.seek(start)
        while left and (block := stream.read(min(READ, left))):
            digest.update(block)
            left -= len(block)
    return digest.digest()
