"""What an operator sets for a worker, as one value."""

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Settings:
    """All seconds are of wall-clock time; `folder` is where the operator's own trainers are found, `devices` are the
    graphics processors that the processes share."""

    name: str
    trainers: tuple[str, ...]
    folder: Path
    cache: Path
    study: str | None = None
    drain: bool = False
    threads: int = 1
    wait_seconds: float = 20.0
    checkpoint_seconds: float = 15.0
    grace_seconds: float = 10.0
    commit: str | None = None
    host: str | None = None
    devices: tuple[str, ...] = ()


@dataclass(frozen=True)
class FleetSettings:
    """A fleet on a Ray cluster: how many workers, and what each needs of a node. Without `cache`, each node's own."""

    address: str
    workers: int = 1
    processes: int = 1
    cpus: float = 1.0
    gpus: float = 0.0
    resources: tuple[tuple[str, float], ...] = ()
    cache: Path | None = None
