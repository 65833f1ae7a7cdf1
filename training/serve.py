"""Starts the server as a process of its own: training and serving share bundles, not code."""

import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from features.errors import BundleError, ServerError
from features.workspace import Workspace
from models.bundle import released_version
from training.recipe import KINDS

SERVICE = "serving.service:OneBasket"
READY_WITHIN_SECONDS = 90
ENDS_WITHIN_SECONDS = 15
# Read by the command line only: the server refuses variables that it does not know, and needs no key.
NOT_FOR_SERVERS = ("ONEBASKET_DEBUG", "ONEBASKET_IDENTITY_KEY")


def check_port(host: str, port: int) -> None:
    """ServerError at once if nothing can listen there."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        # As the server itself does: a port whose last connections are still fading away is free.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as fault:
            raise ServerError(
                f"cannot listen on {host} port {port} ({fault.strerror}): end what uses it, or choose another, "
                f"such as --port {port + 1 if port < 65535 else 3000}"
            ) from fault


def serve_until_stopped(workspace: Workspace, host: str, port: int, workers: int) -> int:
    """Serve what is released until Ctrl-C; returns the server's exit status if it ends by itself."""
    missing = [kind for kind in KINDS if released_version(workspace.bundles, kind) is None]
    if len(missing) == len(KINDS):
        raise BundleError(f"nothing is released in {workspace.folder}: run onebasket train and onebasket release first")
    for kind in missing:
        print(f"no {kind} model is released yet: it is taken up when onebasket release {kind} has run", file=sys.stderr)
    check_port(host, port)
    with running_server(workspace, host, port, workers) as server:
        print(f"OneBasket answers on http://{_shown(host)}:{port} - documentation on /docs, Ctrl-C to stop", flush=True)
        return server.wait()


@contextmanager
def running_server(
    workspace: Workspace, host: str, port: int, workers: int = 1, log: Path | None = None
) -> Iterator["subprocess.Popen[bytes]"]:
    """A server process for as long as the block lasts; it ends in peace before the block does.

    `log` is the file that takes what it prints; without one it prints where we do.
    """
    environment = {name: value for name, value in os.environ.items() if name not in NOT_FOR_SERVERS}
    environment |= {
        "ONEBASKET_WORKSPACE": str(workspace.folder), "ONEBASKET_HOST": host, "ONEBASKET_PORT": str(port),
        "ONEBASKET_WORKERS": str(workers), "BENTOML_DO_NOT_TRACK": "true",
    }  # fmt: skip
    command = [sys.executable, "-m", "bentoml", "serve", SERVICE, "--host", host, "--port", str(port)]
    sink = log.open("wb") if log is not None else None
    server = None
    before = signal.signal(signal.SIGTERM, _as_interrupt)
    try:
        # A session of its own: Ctrl-C reaches us alone, and we end the server and its workers in order.
        with _ctrl_c_waits():
            server = subprocess.Popen(command, env=environment, stdout=sink, stderr=sink, start_new_session=True)  # noqa: S603 - our own command
        yield server
    finally:
        if server is not None:
            _end(server)
        signal.signal(signal.SIGTERM, before)
        if sink is not None:
            sink.close()


@contextmanager
def _ctrl_c_waits() -> Iterator[None]:
    """Hold Ctrl-C back until the block ends: pressed while a process starts, it would leave one that nobody ends."""
    pressed: list[int] = []
    before = {number: signal.signal(number, lambda number, _: pressed.append(number))
              for number in (signal.SIGINT, signal.SIGTERM)
              if signal.getsignal(number) != signal.SIG_IGN}  # fmt: skip
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
    if pressed:
        raise KeyboardInterrupt


def _as_interrupt(number: int, frame: object) -> None:
    raise KeyboardInterrupt


def _end(server: "subprocess.Popen[bytes]") -> None:
    if server.poll() is None:
        server.terminate()
        try:
            server.wait(ENDS_WITHIN_SECONDS)
        except subprocess.TimeoutExpired:
            os.killpg(server.pid, signal.SIGKILL)
            server.wait()


def wait_until_ready(server: "subprocess.Popen[bytes]", address: str, log: Path) -> None:
    """Return when the server has opened its bundles; ServerError with what it said if it does not."""
    until = time.monotonic() + READY_WITHIN_SECONDS
    said = "it did not answer"
    while time.monotonic() < until and server.poll() is None:
        try:
            with urllib.request.urlopen(f"{address}/readyz", timeout=5):  # noqa: S310 - our own http address
                return
        except urllib.error.HTTPError as fault:
            said = fault.read().decode("utf-8", "replace")[:500]
        except OSError:
            pass
        time.sleep(0.2)
    tail = log.read_text("utf-8", "replace")[-1500:] if log.is_file() else ""
    raise ServerError(f"the server is not ready after {READY_WITHIN_SECONDS} s ({said}); its log, {log}, ends:\n{tail}")


def _shown(host: str) -> str:
    return f"[{host}]" if ":" in host else host
