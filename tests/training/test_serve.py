import signal
import socket
import subprocess
from pathlib import Path
from typing import Any

import pytest

from features.errors import ServerError
from features.workspace import Workspace
from tests.fixtures.tiny_workspace import done, onebasket
from training.demo_questions import Asker, ask_everything
from training.serve import check_port, running_server, wait_until_ready


@pytest.fixture
def taken_port():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        yield taken.getsockname()[1]


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def test_a_port_that_is_taken_is_told_before_the_demo_does_any_work(taken_port: int, tmp_path: Path):
    result = onebasket(tmp_path / "workspace", "demo", "--exit", "--port", str(taken_port))
    assert result.exit_code == 2
    assert f"error: cannot listen on 127.0.0.1 port {taken_port}" in result.stderr
    assert f"--port {taken_port + 1}" in result.stderr
    assert not (tmp_path / "workspace" / "history").exists()


def test_a_free_port_is_free():
    check_port("127.0.0.1", free_port())


def test_the_server_answers_everything_the_demo_asks_and_ends_with_its_block(own_trained_shop: Path, tmp_path: Path):
    for kind in ("recommend", "forecast"):
        done(own_trained_shop, "release", kind)
    port, log = free_port(), tmp_path / "server.log"
    address = f"http://127.0.0.1:{port}"
    with running_server(Workspace(own_trained_shop), "127.0.0.1", port, log=log) as server:
        wait_until_ready(server, address, log)
        ask_everything(Asker(address), Workspace(own_trained_shop), lambda household: set())
        with pytest.raises(ServerError, match=r"/v1/forecasts.* answered 4"):
            Asker(address).get("/v1/forecasts", colour="blue")
    assert server.poll() is not None
    check_port("127.0.0.1", port)
    with pytest.raises(ServerError, match="did not answer"):
        Asker(address).get("/healthz")


def test_a_server_that_does_not_start_shows_the_end_of_its_log(shop: Path, tmp_path: Path, monkeypatch):
    monkeypatch.setenv("ONEBASKET_POLL_SECONDS", "never")
    port, log = free_port(), tmp_path / "server.log"
    with (
        running_server(Workspace(shop), "127.0.0.1", port, log=log) as server,
        pytest.raises(ServerError, match="is not ready") as fault,
    ):
        wait_until_ready(server, f"http://127.0.0.1:{port}", log)
    assert "ONEBASKET_POLL_SECONDS" in str(fault.value)


def test_ctrl_c_while_a_server_starts_is_held_back_so_that_none_is_left_behind(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    started: list[subprocess.Popen[bytes]] = []
    begin = subprocess.Popen

    def interrupted(*arguments: Any, **options: Any) -> Any:
        signal.raise_signal(signal.SIGINT)
        started.append(begin(*arguments, **options))
        return started[0]

    monkeypatch.setattr(subprocess, "Popen", interrupted)
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        with (
            pytest.raises(KeyboardInterrupt),
            running_server(Workspace(tmp_path), "127.0.0.1", free_port(), log=tmp_path / "server.log"),
        ):
            pytest.fail("the block must not begin")
    finally:
        signal.signal(signal.SIGINT, before)
    assert [server.poll() is not None for server in started] == [True]
