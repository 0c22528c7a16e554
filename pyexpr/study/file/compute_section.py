"""The section `[compute]` of a study file, the file of a site, and what `--cluster` names."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any, Literal

from pydantic import Field, ValidationError, field_validator, model_validator

from pyexpr.base.cluster import Place
from pyexpr.base.errors import StudyError, listed
from pyexpr.base.job_queue import QUEUES, Site
from pyexpr.study.file.entries import toml_entries
from pyexpr.study.file.faults import sentences
from pyexpr.study.file.section import Section

Backend = Literal["local", "dask", "slurm", "pbs", "sge", "lsf", "oar", "moab"]
System = Literal["slurm", "pbs", "sge", "lsf", "oar", "moab"]
_ADDRESS = re.compile(r"[a-z]+://\S+")
_WALLTIME = re.compile(r"(\d+-)?\d{1,3}:\d\d(:\d\d)?")


class ComputeSection(Section):
    """Where the tasks of a study are done; results and their stages do not depend on it."""

    backend: Backend = "local"
    address: str | None = None
    site: str | None = None
    n_jobs: int | None = None

    @field_validator("n_jobs")
    @classmethod
    def _some(cls, n_jobs: int | None) -> int | None:
        if n_jobs == 0:
            raise ValueError("a whole number other than 0 is required, as in joblib")
        return n_jobs

    @field_validator("address")
    @classmethod
    def _of_dask(cls, address: str | None) -> str | None:
        if address is not None and not _is_address(address):
            raise ValueError(
                'the address of a Dask scheduler is required, such as "tcp://host:8786", or the '
                "path of its file (.json)"
            )
        return address

    @model_validator(mode="after")
    def _fits(self) -> ComputeSection:
        if self.backend == "dask" and self.address is None:
            raise ValueError('backend = "dask" requires the address of the scheduler')
        if self.backend != "dask" and self.address is not None:
            raise ValueError('address requires backend = "dask"')
        if self.site is not None and self.backend not in QUEUES:
            raise ValueError(f"site requires a backend with a queue: {listed(QUEUES)}")
        return self

    def place(self, folder: Path) -> Place:
        """Return where tasks are done; paths are relative to the study's folder."""
        site = Site()
        if self.site is not None:
            system, site = read_site(folder / self.site)
            if system != self.backend:
                raise StudyError(
                    f'[compute] has backend = "{self.backend}", but {self.site!r} is a site with '
                    f'system = "{system}"'
                )
        address = self.address
        if address is not None and address.endswith(".json"):
            address = str(folder / address)
        return Place(self.backend, address, site)


class SiteSection(Section):
    """The file of a site: what a job of the queue requests."""

    system: System = "slurm"
    queue: str | None = None
    account: str | None = None
    cores: int | None = Field(default=None, ge=1)
    processes: int | None = Field(default=None, ge=1)
    memory: str | None = None
    walltime: str | None = None
    jobs: int = Field(default=1, ge=1)
    directives: tuple[str, ...] = ()
    setup: tuple[str, ...] = ()
    python: str | None = None
    interface: str | None = None
    local_directory: str | None = None
    log_directory: str | None = None

    @field_validator("memory")
    @classmethod
    def _size(cls, memory: str | None) -> str | None:
        if memory is not None and not re.fullmatch(r"\d+(\.\d+)? ?([kMGT]i?)?B", memory):
            raise ValueError('a size with its unit is required, such as "32 GB"')
        return memory

    @field_validator("walltime")
    @classmethod
    def _time(cls, walltime: str | None) -> str | None:
        if walltime is not None and not _WALLTIME.fullmatch(walltime):
            raise ValueError('hours, minutes and seconds are required, such as "02:00:00"')
        return walltime

    @field_validator("queue", "account", "python", "interface", "local_directory", "log_directory")
    @classmethod
    def _line(cls, text: str | None) -> str | None:
        return None if text is None else _one_line(text)

    @field_validator("directives", "setup")
    @classmethod
    def _lines(cls, given: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(map(_one_line, given))

    @model_validator(mode="after")
    def _shares(self) -> SiteSection:
        if self.processes is not None and self.cores is not None and self.processes > self.cores:
            raise ValueError("processes must not be more than cores, which they share")
        return self


def _one_line(text: str) -> str:
    if not text.strip() or "\n" in text:
        raise ValueError("one line of text is required")
    return text


def _is_address(text: str) -> bool:
    return bool(_ADDRESS.fullmatch(text)) or text.endswith(".json")


def read_site(path: Path) -> tuple[str, Site]:
    """Read the file of a site: the queueing system, and what a job requests.

    Raises
    ------
    StudyError
        If there is no such file, or an entry is wrong.
    """
    try:
        raw = toml_entries(path.read_bytes(), path)
    except OSError as error:
        raise StudyError(
            f"cannot read the file of the site {str(path)!r}: {error.strerror}"
        ) from None
    try:
        found = SiteSection.model_validate(raw)
    except ValidationError as error:
        problems = "; ".join(sentences(error, SiteSection))
        raise StudyError(f"file of the site {str(path)!r}: {problems}") from None
    values: dict[str, Any] = found.model_dump(exclude={"system"})
    return found.system, Site(**values)


def compute_section(cluster: str | None, n_jobs: int | None) -> dict[str, Any]:
    """Return the entries of `[compute]` that `cluster` and `n_jobs` of a call stand for.

    Raises
    ------
    StudyError
        If `cluster` is none of: "local", the address of a Dask scheduler (tcp://host:8786) or the
        path of its file (.json), a queueing system, the path of the file of a site (.toml).
    """
    found: dict[str, Any] = {} if n_jobs is None else {"n_jobs": n_jobs}
    if cluster is None:
        return found
    none = {"address": None, "site": None}
    if cluster == "local" or cluster in QUEUES:
        return found | none | {"backend": cluster}
    if _is_address(cluster):
        if cluster.endswith(".json"):
            cluster = str(Path(cluster).absolute())
        return found | none | {"backend": "dask", "address": cluster}
    if cluster.endswith(".toml"):
        path = Path(cluster).absolute()
        return found | none | {"backend": read_site(path)[0], "site": str(path)}
    raise StudyError(
        f"there is no cluster {cluster!r}; name the address of a Dask scheduler "
        f"(tcp://host:8786) or its file (.json), a queueing system ({', '.join(QUEUES)}), a TOML "
        "file of the site, or local"
    )


def place_named(cluster: str | None) -> Place:
    """Return the place that `cluster` names; None means this computer."""
    return ComputeSection.model_validate(compute_section(cluster, None)).place(Path.cwd())
