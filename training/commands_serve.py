"""Commands that answer over HTTP: serve and demo."""

from typing import Annotated

import typer

from training.command import WorkspaceOption, command, workspace_of

PortOption = Annotated[int, typer.Option("--port", min=1, max=65535, help="Port to listen on.")]


@command("the server has ended; events that it acknowledged are kept")
def serve(
    port: PortOption = 3000,
    host: Annotated[str, typer.Option("--host", help="Address to listen on; 0.0.0.0 for every one.")] = "127.0.0.1",
    workers: Annotated[int, typer.Option("--workers", min=1, max=256, help="Processes that answer.")] = 1,
    workspace: WorkspaceOption = None,
) -> None:
    """Answer over HTTP from the released models, until Ctrl-C.

    onebasket serve --port 3000
    """
    from training.serve import serve_until_stopped

    raise typer.Exit(serve_until_stopped(workspace_of(workspace), host, port, workers))


@command("the demo has ended; what it ingested, trained and released is kept, and the next demo goes on from it")
def demo(
    leave: Annotated[bool, typer.Option("--exit", help="End after the self-check instead of staying up.")] = False,
    port: PortOption = 3000,
    workspace: WorkspaceOption = None,
) -> None:
    """Show everything on real data: ingest, train, backtest, release, serve and ask.

    The data is dunnhumby's Complete Journey, from its Python package. Takes minutes; a second time, seconds.

        onebasket demo --exit
    """
    from training.demo import show

    show(workspace_of(workspace), port, stay=not leave)
