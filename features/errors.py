"""Every error that OneBasket raises on purpose.

    OneBasketError
    ├── RecipeError        the recipe does not say what it must, or says it wrongly
    ├── SourceError        an export cannot be read at all (missing, empty, truncated, wrong encoding)
    ├── TableError         a table does not have the columns or keys that its name promises
    ├── WorkspaceError     the workspace cannot be used
    │   ├── WorkspaceBusy  another process is writing to it
    │   └── NotIngested    nothing has been ingested into it yet
    ├── HistoryError       the history is too short or too thin for what was asked
    ├── SettingsError      an environment variable of the server is unknown or wrong
    ├── BundleError        a bundle is missing, damaged or of another kind
    ├── RegistryError      a model version, alias or run does not exist
    ├── ExportError        answers cannot be written to the file asked for
    ├── SampleError        a sample cannot be made as asked for
    └── ServerError        the server cannot be started or does not answer

Each message says what was wrong, the value, and the remedy. Rows that cannot be used are never an error:
they go to the quarantine with their reason.
"""

from collections.abc import Iterable
from difflib import get_close_matches


class OneBasketError(Exception):
    """The root: the command line prints its message without a traceback and exits with `exit_status`."""

    exit_status = 2


class RecipeError(OneBasketError):
    """A recipe is incomplete, contradictory or misspelt."""


class SourceError(OneBasketError):
    """An export cannot be read."""


class NoExport(SourceError):
    """There is no file of a source."""


class TableError(OneBasketError):
    """A table lacks columns or breaks its key."""


class WorkspaceError(OneBasketError):
    """The workspace folder cannot be read or written."""


class WorkspaceBusy(WorkspaceError):
    """Another process holds the workspace's lock."""


class NotIngested(WorkspaceError):
    """The workspace holds no purchase history yet."""


class HistoryError(OneBasketError):
    """Too little history for the question."""


class SettingsError(OneBasketError):
    """A setting from the environment is unknown or wrong."""


class BundleError(OneBasketError):
    """A bundle is missing, damaged, or not of the kind asked for."""


class RegistryError(OneBasketError):
    """The model registry does not hold what was asked for."""


class ExportError(OneBasketError):
    """The file asked for cannot be written."""


class SampleError(OneBasketError):
    """A sample cannot be written as asked."""


class ServerError(OneBasketError):
    """The server cannot be started, or does not answer."""


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """Return ' (did you mean X?)' for the closest known word, or an empty string.

    >>> did_you_mean("chanel", ["channel", "product_id"])
    " (did you mean 'channel'?)"
    >>> did_you_mean("zzz", ["channel"])
    ''
    """
    close = get_close_matches(word, list(known), n=1)
    return f" (did you mean {close[0]!r}?)" if close else ""
