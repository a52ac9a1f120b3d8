"""The live table of routes: which methods each takes, and whose. Every route names its roles, but those named here.

An unnamed route without roles is a mistake that opens a door to everybody: the server does not start with one.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from fastapi import FastAPI
from fastapi.dependencies.models import Dependant
from fastapi.routing import iter_route_contexts
from starlette.routing import compile_path

from trialbook.wire import Role

OPEN = frozenset(
    {  # to anybody: what tells nothing of anyone's, and what lets people in
        ("GET", "/healthz"),
        ("GET", "/readyz"),
        ("GET", "/metrics"),
        ("GET", "/api/v1/openapi.json"),
        ("HEAD", "/api/v1/openapi.json"),
        ("GET", "/login"),
        ("POST", "/session"),
        ("DELETE", "/session"),
        ("*", "/static"),
    }
)


class UnguardedRoute(Exception):
    """A route that names no roles, and is none of those that are open to anybody."""


@dataclass(frozen=True)
class Door:
    """One method of one route; `*` for what is mounted, which answers for itself. An admin may use every one."""

    method: str
    path: str
    roles: tuple[Role, ...] | None  # None: nobody is asked who they are
    pattern: re.Pattern[str]


def doors(app: FastAPI) -> Iterator[Door]:
    """All routes of an application as they are now."""
    for route in iter_route_contexts(app.routes):
        path, dependant = route.path or "", getattr(route, "dependant", None)
        found = None if dependant is None else guard(dependant)
        roles = None if found is None else tuple(found.roles)
        pattern = compile_path(path)[0] if route.methods else re.compile(f"{re.escape(path)}(/.*)?")
        for method in sorted(route.methods or ("*",)):
            yield Door(method, path, roles, pattern)


def require_roles(app: FastAPI) -> None:
    """Raise UnguardedRoute where a route would let in whoever comes."""
    unguarded = [f"{one.method} {one.path}" for one in doors(app) if one.roles is None and not _is_open(one)]
    if unguarded:
        raise UnguardedRoute(f"no roles are named for {', '.join(unguarded)}")


def allowed(app: FastAPI, path: str) -> str:
    """The methods that this address takes, as the Allow header spells them."""
    found = {one.method for one in doors(app) if one.pattern.fullmatch(path)}
    return ", ".join(sorted(found - {"*"} | ({"GET", "HEAD"} if "*" in found else set())))


def _is_open(door: Door) -> bool:
    return (door.method, door.path) in OPEN


def guard(dependant: Dependant) -> Any:  # Any: our own dependency, which says its roles by an attribute
    """What `auth.may` made for a route, wherever in its dependencies that stands; None for a route without."""
    if hasattr(dependant.call, "roles"):
        return dependant.call
    found = (guard(below) for below in dependant.dependencies)
    return next((one for one in found if one is not None), None)
