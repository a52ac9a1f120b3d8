"""Errors as people see them: whom a browser shows it is sent to sign in, or told what happened and what to do."""

from dataclasses import dataclass
from urllib.parse import urlencode

from fastapi import Request, Response
from fastapi.responses import RedirectResponse

from service import problems
from service.dashboard.rendering import render
from trialbook.errors import TrialbookError

NOT_FOR_PEOPLE = ("/api", "/static", "/session")  # only the form of an error hangs on this, never who may do what
WHAT_TO_DO = {
    400: "Check the address, or go to the list of studies.",
    403: "Sign in with a token whose role allows this, or ask an administrator for one.",
    404: "It may have been deleted, renamed, or belong to somebody else. Look for it in the list of studies.",
    405: "Go to the list of studies.",
    422: "Check the address: a part of it is not what belongs there.",
    500: "Try again. If it stays so, tell the operator of this server the request below. Nothing stored was lost.",
    503: "Try again in a moment. Workers go on training and send their results later; nothing stored was lost.",
}


@dataclass(frozen=True)
class ProblemPage:
    """What a problem's page says."""

    status: int
    title: str
    detail: str
    what_to_do: str
    request: str


def show(request: Request, error: TrialbookError) -> Response:
    """The answer for an error: a page where a person asked for one, else a problem."""
    if not _asks_for_page(request):
        return problems.show(request, error)
    if error.status == 401:
        return RedirectResponse(f"/login?{urlencode({'next': _address(request)})}", 303, {"cache-control": "no-store"})
    what_to_do = WHAT_TO_DO.get(error.status, WHAT_TO_DO[400])
    mistakes = "; ".join(f"{one.pointer.strip('/')} {one.message}" for one in error.errors)
    detail = f"The address is not understood: {mistakes}." if mistakes else error.detail
    page = ProblemPage(error.status, error.title, detail, what_to_do, problems.instance(request))
    answer = render(request, "problem.html", page, error.status)
    given = problems.show(request, error).headers
    answer.headers.update({name: given[name] for name in ("retry-after", "allow") if name in given})
    return answer


def _asks_for_page(request: Request) -> bool:
    first = f"/{request.url.path.split('/')[1]}"
    return request.method == "GET" and first not in NOT_FOR_PEOPLE and "text/html" in request.headers.get("accept", "")


def _address(request: Request) -> str:
    query = request.url.query
    return request.url.path + (f"?{query}" if query else "")
