"""What the rows of a source are looked up in while they are mapped, and which landed files find what they found.

Joined files by features/join_digests.py, exchange rates and product units by features/rule_digests.py.
"""

import hashlib
from collections.abc import Collection, Iterable, Mapping
from fnmatch import fnmatch
from pathlib import Path

from features.channels import files_of
from features.engine import Engine
from features.errors import NoExport, SourceError
from features.join_digests import found_in, moved
from features.joins import Beside, read_join
from features.judging import Door
from features.landed import Landed, mark_of, name_of
from features.rule_digests import asks, open_rules, rule_digests
from features.workspace import Workspace


class Lookups:
    """The joined files of each source, and the tables that sources are mapped with."""

    def __init__(
        self, door: Door, workspace: Workspace, before: Collection[str], joins_before: Mapping[str, str]
    ) -> None:
        self.door, self.workspace = door, workspace
        self.engine: Engine = door.engine
        self.before = before  # sources of which files were landed
        self._besides: dict[tuple[str, int], Beside] = {}
        self._rules: list[str] | None = None  # ids of the files of HELPING tables, which are landed first
        self.joins: dict[str, str] = {}  # what the rows of each source are looked up in, as it is now
        self._joins_before = joins_before

    @property
    def knows_rules(self) -> bool:
        return self._rules is not None

    def open_rules(self, landed: Iterable[Landed]) -> None:
        """Look up the rows of the sources to come in the tables on the door, which were made of these files."""
        self._rules = [one.id for one in landed]
        if self._rules:
            open_rules(self.door)

    def there(self, path: str, name: str, *, may_lack: bool) -> list[Path]:
        try:
            return files_of(path, self.door.intake.folder, name)
        except NoExport:
            if may_lack:
                return []
            raise

    def standing(
        self, name: str, mapping: str, known: Iterable[Landed], files: Mapping[str, Path]
    ) -> dict[str, Landed]:
        """Files landed before that find what they found, by content."""
        source = self.door.intake.sources[name]
        same = {one.id: one for one in known if one.mapping == mapping}
        rules = self._rules or [] if asks(source) else []
        if source.join or rules:
            marks = [f"{file.name}:{mark_of(file)}" for number in range(len(source.join))
                     for file in self._beside_files(name, number)]  # fmt: skip
            self.joins[name] = hashlib.sha256(" ".join([*marks, *rules]).encode()).hexdigest()[:16]
        if source.join:
            self._check_lost(name, [one for one in known if one.mapping != mapping and one.name in files])
        if self._joins_before.get(name) != self.joins.get(name):
            there = {one.id: one for one in same.values() if one.name in files}
            for one in (*self._finding_else(name, there), *self.ruled_else(name, there)):
                same.pop(one, None)
        return {one.content: one for one in same.values()}

    def _finding_else(self, name: str, known: Mapping[str, Landed]) -> list[str]:
        """Which files find something else in the joined files than they found."""
        source = self.door.intake.sources[name]
        if not source.join or not known:
            return []
        present = [
            name_of(file, self.door.intake.folder)
            for number in range(len(source.join))
            for file in self._beside_files(name, number)
        ]
        besides = tuple(self._beside(name, number) for number in range(len(source.join))
                        if self._beside_files(name, number))  # fmt: skip
        files = {one: file for one, landed in known.items() if (file := landed.found(self.workspace)).is_file()}
        found = moved(self.engine, name, besides, self.door.intake.folder, present, files)
        for one, how in found.items():
            if how.changed and how.lost:
                raise SourceError(
                    f"sources.{name}: {known[one].name} finds other rows in joined files than before, and {how.lost}, "
                    "in which it found some too, is no longer there: put it back"
                )
        return [one for one, landed in known.items() if landed.rows and (one not in found or found[one].changed)]

    def ruled_else(self, name: str, known: Mapping[str, Landed]) -> list[str]:
        """Which files find other rates or product units than they found."""
        if not asks(self.door.intake.sources[name]) or not known:
            return []
        files = {one: file for one, landed in known.items() if (file := landed.asked_of(self.workspace)).is_file()}
        found = self.ruled(files)
        return [one for one, landed in known.items() if landed.rows and found.get(one) != landed.asked]

    def ruled(self, asked: dict[str, Path]) -> dict[str, str]:
        return rule_digests(self.engine, asked) if self._rules else dict.fromkeys(asked, "")

    def _check_lost(self, name: str, stale: list[Landed]) -> None:
        """Nothing may be mapped anew without what it found in a joined file that is gone."""
        intake, join = self.door.intake, self.door.intake.sources[name].join
        files = [file for one in stale if (file := one.found(self.workspace)).is_file()]
        for where in found_in(self.engine, files):
            if not (intake.folder / where).is_file() and any(fnmatch(where, one.path) for one in join):
                raise SourceError(
                    f"sources.{name}: the recipe reads this export otherwise than before, and the joined file {where}, "
                    "in which rows of it were found, is no longer there: put it back, or start a new workspace"
                )

    def _beside_files(self, name: str, number: int) -> list[Path]:
        """The joined files that there are; what was landed before may do without."""
        join = self.door.intake.sources[name].join[number]
        return self.there(join.path, name, may_lack=name in self.before)

    def _beside(self, name: str, number: int) -> Beside:
        """A file laid beside a source, read once."""
        if (name, number) not in self._besides:
            intake = self.door.intake
            join = intake.sources[name].join[number]
            files_of(join.path, intake.folder, name)  # SourceError where there is none
            self._besides[name, number] = read_join(self.engine, name, number, join, intake.folder)
        return self._besides[name, number]

    def joined_files(self, name: str) -> tuple[Beside, ...]:
        """The files laid beside a source; SourceError where one is not there."""
        return tuple(self._beside(name, number) for number in range(len(self.door.intake.sources[name].join)))
