"""The page of tokens, for admins: who may call, how to let somebody in, and how to shut them out."""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import get_args

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse

from service.api.bodies import Ctx
from service.auth import Admin
from service.dashboard.rendering import render
from service.store.tokens import list_tokens
from trialbook.wire import Role, Token
from trialbook.words import token_state

router = APIRouter(include_in_schema=False, default_response_class=HTMLResponse)
MAY = {
    "viewer": "reads its owner's studies",
    "submitter": "also makes and changes them, uploads data, asks for their trials",
    "worker": "trains trials of any study, and nothing else",
    "admin": "does everything, for every owner",
}


@dataclass(frozen=True)
class Row:
    """A token as the table shows it."""

    token: Token
    state: str

    @property
    def is_valid(self) -> bool:
        """Whether it opens anything still."""
        return self.state.startswith("valid")


@dataclass(frozen=True)
class TokensPage:
    """What the page says before its scripts run."""

    rows: tuple[Row, ...]
    owner: str
    roles: dict[Role, str]


@router.get("/tokens")
async def tokens_page(request: Request, context: Ctx, holder: Admin) -> HTMLResponse:
    """All tokens, those that are valid first, without their secrets."""
    now = datetime.now(UTC)
    rows = [Row(one, token_state(one, now)) for one in await list_tokens(context.db)]
    roles: dict[Role, str] = {role: MAY[role] for role in get_args(Role)}
    page = TokensPage(tuple(sorted(rows, key=lambda row: not row.is_valid)), holder.owner, roles)
    return render(request, "tokens.html", page)
