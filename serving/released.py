"""The released bundles, always open: a thread looks for new releases and swaps them in.

A new bundle is checked, opened and warmed beside the old one; then one reference changes. A bundle that cannot
be opened leaves the old one answering, and is tried again every RETRY_POLLS polls.
"""

import logging
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from models.bundle import Bundle, BundleKind, open_bundle, released_version
from serving.answers import Recommending
from serving.faults import Detail, Fault
from serving.planner_messages import ModelFacts
from serving.planning import Planning

OPENERS: dict[BundleKind, Callable[[Bundle], Any]] = {"recommend": Recommending.open, "forecast": Planning.open}
RETRY_POLLS = 30
WAIT_SECONDS = 10.0

log = logging.getLogger("onebasket.serving")


@dataclass(frozen=True)
class Opened:
    """One open bundle and what answers from it."""

    bundle: Bundle
    since: datetime
    answers: Any

    @property
    def facts(self) -> ModelFacts:
        metrics = self.bundle.facts.get("metrics", {})
        return ModelFacts(
            kind=self.bundle.kind,
            version=self.bundle.version,
            as_of=self.bundle.as_of,
            since=self.since.isoformat(timespec="seconds"),
            metrics=metrics if isinstance(metrics, dict) else {"metrics": metrics},
        )


@dataclass
class _Broken:
    version: str
    why: str
    polls_left: int = RETRY_POLLS


class Released:
    """What is released, kept open. `look` is the one writer; readers take a reference and keep it."""

    def __init__(
        self,
        bundles: Path,
        kinds: Sequence[BundleKind],
        poll_seconds: float,
        opened: Callable[[Opened], None] = lambda _: None,
        failed: Callable[[BundleKind], None] = lambda _: None,
    ) -> None:
        self._bundles, self._kinds, self._poll_seconds = bundles, tuple(kinds), poll_seconds
        self._on_opened, self._on_failed = opened, failed
        self._open: dict[BundleKind, Opened] = {}
        self._broken: dict[BundleKind, _Broken] = {}
        self._ending = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="released", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._ending.set()
        if self._thread.is_alive():
            self._thread.join(WAIT_SECONDS)

    def _watch(self) -> None:
        while True:
            self.look()
            if self._ending.wait(self._poll_seconds):
                return

    def look(self) -> None:
        """Open whatever is released and not open yet."""
        for kind in self._kinds:
            try:
                self._look_for(kind)
            except Exception as fault:  # whatever is wrong with a bundle, the thread and the old bundle go on
                self._note(kind, "RELEASED", fault)

    def _look_for(self, kind: BundleKind) -> None:
        version = released_version(self._bundles, kind)
        current, broken = self._open.get(kind), self._broken.get(kind)
        if version is None or (current is not None and current.bundle.version == version):
            self._broken.pop(kind, None)
            return
        if broken is not None and broken.version == version and broken.polls_left > 0:
            broken.polls_left -= 1
            return
        try:
            opened = self._opened(kind, version)
        except Exception as fault:  # see look
            self._note(kind, version, fault)
            return
        self._open[kind] = opened
        self._broken.pop(kind, None)
        self._on_opened(opened)
        log.info("answering from %s", version)

    def _opened(self, kind: BundleKind, version: str) -> Opened:
        bundle = open_bundle(self._bundles / kind / version, kind)
        since = datetime.fromtimestamp((self._bundles / kind / "RELEASED").stat().st_mtime, UTC)
        return Opened(bundle, since, OPENERS[kind](bundle))

    def _note(self, kind: BundleKind, version: str, fault: Exception) -> None:
        before = self._broken.get(kind)
        self._broken[kind] = _Broken(version, f"{kind} {version} cannot be opened: {fault}")
        if before is None or before.version != version:
            log.error("%s %s cannot be opened, %s", kind, version, self._meanwhile(kind), exc_info=fault)
        self._on_failed(kind)

    def _meanwhile(self, kind: BundleKind) -> str:
        current = self._open.get(kind)
        return f"{current.bundle.version} goes on answering" if current else "nothing of its kind is open"

    @property
    def missing(self) -> list[str]:
        """Why the server is not ready: a sentence per kind of which nothing is open."""
        return [self._why_missing(kind) for kind in self._kinds if kind not in self._open]

    def _why_missing(self, kind: BundleKind) -> str:
        if kind in self._broken:
            return self._broken[kind].why
        if released_version(self._bundles, kind) is None:
            others = [name for name in self._kinds if name != kind]
            return (f"no {kind} bundle is released in {self._bundles}: train and release one"
                    + (f", or set ONEBASKET_KINDS={','.join(others)}" if others else ""))  # fmt: skip
        return f"the {kind} bundle is being opened"

    @property
    def problems(self) -> list[str]:
        """Releases that could not be opened, whether or not an older one answers."""
        return [broken.why for broken in list(self._broken.values())]

    @property
    def models(self) -> list[ModelFacts]:
        return [self._open[kind].facts for kind in self._kinds if kind in self._open]

    def recommending(self) -> Recommending:
        answers: Recommending = self._current("recommend")
        return answers

    def planning(self) -> Planning:
        answers: Planning = self._current("forecast")
        return answers

    def _current(self, kind: BundleKind) -> Any:
        opened = self._open.get(kind)
        if opened is None:
            why = self._why_missing(kind) if kind in self._kinds else f"this server does not answer {kind} questions"
            raise Fault("not_ready", f"not ready: {why}", [Detail(where=kind, what=why)], {"Retry-After": "5"})
        return opened.answers
