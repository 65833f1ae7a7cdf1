from collections.abc import Iterator
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from serving.app import Server, create_app
from serving.settings import ServingSettings
from tests.fixtures import tiny_bundles


@pytest.fixture(scope="session")
def workspace(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("workspace")
    tiny_bundles.release_both(folder)
    return folder


@pytest.fixture(scope="session")
def server(workspace: Path) -> Server:
    made = Server.of(ServingSettings(workspace=workspace, max_body_bytes=20_000, max_batch_events=20))
    made.released.look()
    return made


@pytest.fixture(scope="session")
def client(server: Server) -> Iterator[TestClient]:
    with TestClient(create_app(server), raise_server_exceptions=False, follow_redirects=False) as asked:
        yield asked
