"""The server's settings: read once from the environment, then frozen."""

from collections.abc import Mapping
from ipaddress import IPv4Address, IPv6Address
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from features.errors import SettingsError, did_you_mean
from models.bundle import BundleKind

PREFIX = "ONEBASKET_"
READ_ELSEWHERE = (
    "ONEBASKET_MEMORY",
    "ONEBASKET_DEBUG",
    "ONEBASKET_IDENTITY_KEY",
)  # by the command line, in the same environment


class ServingSettings(BaseModel):
    """Each field is the environment variable ONEBASKET_ + its name in capitals."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    workspace: Path = Field(default=Path("workspace"), description="folder with the released bundles and the events")
    kinds: tuple[BundleKind, ...] = Field(
        default=("recommend", "forecast"),
        min_length=1,
        description="what this server answers, comma-separated; it is ready once a bundle of each is open",
    )
    host: IPv4Address | IPv6Address = Field(
        default=IPv4Address("127.0.0.1"), description="address to listen on; --host of bentoml serve goes first"
    )
    port: int = Field(default=3000, ge=1, le=65535, description="port; --port of bentoml serve goes first")
    workers: int = Field(default=1, ge=1, le=256, description="processes that answer")
    poll_seconds: float = Field(
        default=1.0, ge=0.05, le=3600, allow_inf_nan=False, description="how often a worker looks for a new release"
    )
    max_body_bytes: int = Field(default=1 << 20, ge=1024, description="larger request bodies are refused")
    max_batch_events: int = Field(default=1000, ge=1, description="more events in one request are refused")
    events_survive: Literal["process", "power"] = Field(
        default="process",
        description="what an acknowledged event survives: the end of the process, however it ends, "
        "or also a loss of power (slower: one fsync per commit)",
    )
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = Field(default="INFO", description="least level logged")

    @field_validator("kinds", mode="before")
    @classmethod
    def _comma_separated(cls, value: object) -> object:
        return tuple(part.strip() for part in value.split(",") if part.strip()) if isinstance(value, str) else value


def settings_from(environment: Mapping[str, str]) -> ServingSettings:
    """Read the settings; SettingsError names every variable that is unknown or wrong.

    >>> settings_from({"ONEBASKET_WORKERS": "2", "HOME": "/root"}).workers
    2
    """
    known = {PREFIX + name.upper(): name for name in ServingSettings.model_fields}
    given = {name: value for name, value in environment.items()
             if name.startswith(PREFIX) and name not in READ_ELSEWHERE}  # fmt: skip
    faults = [f"{name}: there is no such setting{did_you_mean(name, known)}" for name in given if name not in known]
    try:
        settings = ServingSettings.model_validate(
            {known[name]: value for name, value in given.items() if name in known}
        )
    except ValidationError as wrong:
        faults += [f"{PREFIX}{str(fault['loc'][0]).upper()}={given[PREFIX + str(fault['loc'][0]).upper()]!r}: "
                   f"{fault['msg']}" for fault in wrong.errors()]  # fmt: skip
    if faults:
        raise SettingsError("the environment is wrong:\n  " + "\n  ".join(faults))
    return settings
