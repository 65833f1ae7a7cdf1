"""The real service, as `bentoml serve` starts it: a process of its own on a free port."""

import os
import socket
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import psutil
import pytest

from models.bundle import release_version
from tests.fixtures import tiny_bundles

ROOT = Path(__file__).resolve().parents[2]
START_SECONDS = 90
SWITCH_SECONDS = 30


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def serving(workspace: Path, home: Path, **settings: str) -> Iterator[tuple[httpx.Client, subprocess.Popen[bytes]]]:
    port = free_port()
    environment = {name: value for name, value in os.environ.items() if not name.startswith("ONEBASKET_")}
    environment |= {"ONEBASKET_WORKSPACE": str(workspace), "ONEBASKET_POLL_SECONDS": "0.1", "BENTOML_HOME": str(home),
                    "ONEBASKET_PORT": str(port)} | settings  # fmt: skip
    log = (home / "server.log").open("wb")
    command = [sys.executable, "-m", "bentoml", "serve", "serving.service:OneBasket"]
    process = subprocess.Popen(
        command, cwd=ROOT, env=environment, stdout=log, stderr=subprocess.STDOUT, start_new_session=True
    )
    try:
        with httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=20) as client:
            wait_until(lambda: status_of(client) == 200, START_SECONDS, home / "server.log")
            yield client, process
    finally:
        kill_all(process)
        log.close()


def kill_all(process: subprocess.Popen[bytes]) -> None:
    """End the supervisor and its workers at once, as a loss of the machine's memory would."""
    if process.poll() is None:
        supervisor = psutil.Process(process.pid)
        supervisor.suspend()  # so that it cannot replace a worker that was killed
        for one in [*supervisor.children(recursive=True), supervisor]:
            one.kill()
        process.wait(20)


def status_of(client: httpx.Client) -> int:
    try:
        return client.get("/readyz").status_code
    except httpx.TransportError:
        return 0


def wait_until(holds, seconds: float, log: Path) -> None:
    end = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < end, log.read_text()
        time.sleep(0.1)


@pytest.fixture
def home(tmp_path: Path) -> Path:
    folder = tmp_path / "home"
    folder.mkdir()
    return folder


@pytest.mark.timeout(240)
def test_a_release_is_picked_up_without_a_restart_and_acknowledged_events_survive_a_kill(tmp_path, home):
    tiny_bundles.release_both(tmp_path)
    statuses: list[int] = []
    versions: list[str] = []
    done = threading.Event()

    def keep_asking(base_url: httpx.URL) -> None:
        with httpx.Client(base_url=base_url, timeout=20) as caller:
            while not done.is_set():
                answer = caller.post("/v1/recommendations", json={"customer_id": "c01", "limit": 3})
                statuses.append(answer.status_code)
                versions.append(answer.json().get("model_version", answer.text))

    with serving(tmp_path, home) as (client, process):
        caller = threading.Thread(target=keep_asking, args=(client.base_url,))
        caller.start()
        second = tiny_bundles.write_recommend(tmp_path, "recommend-2024-05-05-bbbbbbbb")
        release_version(tmp_path / "bundles", "recommend", second.version)
        try:
            wait_until(lambda: second.version in versions[-1:], SWITCH_SECONDS, home / "server.log")
            third = tiny_bundles.write_recommend(tmp_path, "recommend-2024-05-05-cccccccc")
            release_version(tmp_path / "bundles", "recommend", third.version)
            wait_until(lambda: third.version in versions[-1:], SWITCH_SECONDS, home / "server.log")
        finally:
            done.set()
            caller.join(30)
        assert set(statuses) == {200}
        assert list(dict.fromkeys(versions)) == [
            "recommend-2024-05-05-aaaaaaaa", "recommend-2024-05-05-bbbbbbbb", "recommend-2024-05-05-cccccccc",
        ]  # fmt: skip
        for path in ("/nothing", "/docs.json", "/schema.json"):
            assert client.get(path).json()["error"]["code"] == "not_found"
        sent = [{"event_id": f"k{number}", "type": "view", "happened_at": "2024-05-06T09:30:00Z"}
                for number in range(50)]  # fmt: skip
        for event in sent[:30]:
            assert client.post("/v1/events", json=event).json()["accepted"] == 1
        assert client.post("/v1/events", json={"events": sent}).json()["duplicates"] == 30
        kill_all(process)
        assert status_of(client) == 0
    store = sqlite3.connect(tmp_path / "live" / "events.db")
    assert store.execute("SELECT count(*) FROM events").fetchone() == (50,)
    store.close()


@pytest.mark.timeout(120)
def test_a_misspelt_setting_stops_the_server_and_names_the_right_one(tmp_path, home):
    environment = os.environ | {"ONEBASKET_WORKRS": "2", "BENTOML_HOME": str(home)}
    command = [sys.executable, "-m", "bentoml", "serve", "serving.service:OneBasket", "--port", str(free_port())]
    ended = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=100, check=False)
    assert ended.returncode != 0
    assert "ONEBASKET_WORKRS: there is no such setting (did you mean 'ONEBASKET_WORKERS'?)" in ended.stderr
