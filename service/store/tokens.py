"""Tokens, the dashboard's sessions and one-time login links. Secrets are stored as SHA-256 only."""

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import text

from service.store.database import Database
from trialbook.wire import Role, Token


@dataclass(frozen=True)
class Holder:
    """Whom a valid token or session speaks for."""

    token_id: str
    role: Role
    owner: str


COLUMNS = "id, name, role, owner, created_at, expires_at, last_used_at, revoked_at"
VALID = "t.revoked_at is null and (t.expires_at is null or t.expires_at > clock_timestamp())"

INSERT = text(f"""
    insert into tokens (id, hash, name, role, owner, expires_at)
    values (:id, :hash, :name, :role, :owner,
        clock_timestamp() + make_interval(secs => cast(:expires_in as float8)))
    on conflict (id) do update set hash = excluded.hash, revoked_at = null
    returning {COLUMNS}
""")  # noqa: S608  # column names of our own
USED = text(f"""
    update tokens t set last_used_at = clock_timestamp() where t.id = :id and {VALID} returning t.hash, t.role, t.owner
""")  # noqa: S608  # a condition of our own
LIST = text(f"select {COLUMNS} from tokens order by created_at, id")  # noqa: S608  # column names of our own
REVOKE = text("update tokens set revoked_at = clock_timestamp() where id = :id and revoked_at is null returning id")
ADD_LINK = text("""
    with gone as (delete from login_links where expires_at < clock_timestamp())
    insert into login_links (hash, token_id, expires_at)
    values (:hash, :token_id, clock_timestamp() + make_interval(secs => :seconds))
""")
TAKE_LINK = text("delete from login_links where hash = :hash and expires_at > clock_timestamp() returning token_id")
ADD_SESSION = text("""
    with gone as (delete from sessions where expires_at < clock_timestamp())
    insert into sessions (hash, token_id, expires_at)
    values (:hash, :token_id, clock_timestamp() + make_interval(secs => :seconds))
""")
SESSION = text(f"""
    select t.id as token_id, t.role, t.owner from sessions s join tokens t on t.id = s.token_id
    where s.hash = :hash and s.expires_at > clock_timestamp() and {VALID}
""")  # noqa: S608  # a condition of our own
DROP_SESSION = text("delete from sessions where hash = :hash")


async def insert_token(
    db: Database, *, id: str, hash: bytes, name: str, role: Role, owner: str, expires_in: float | None
) -> Token:
    """Store a token's hash; one with the same id is replaced."""
    asked = {"id": id, "hash": hash, "name": name, "role": role, "owner": owner, "expires_in": expires_in}
    return Token(**(await db.run(INSERT, asked))[0])


async def use_token(db: Database, token_id: str) -> tuple[bytes, Holder] | None:
    """The hash and holder of a valid token, noting its use; None where it is unknown, expired or revoked."""
    rows = await db.run(USED, {"id": token_id})
    return (rows[0]["hash"], Holder(token_id, rows[0]["role"], rows[0]["owner"])) if rows else None


async def list_tokens(db: Database) -> Sequence[Token]:
    """All tokens, revoked ones too."""
    return [Token(**row) for row in await db.run(LIST)]


async def revoke_token(db: Database, token_id: str) -> bool:
    """Revoke a token; False where there is none or it is revoked already."""
    return bool(await db.run(REVOKE, {"id": token_id}))


async def add_login_link(db: Database, hash: bytes, token_id: str, seconds: float) -> None:
    """Store a one-time code that opens a session."""
    await db.run(ADD_LINK, {"hash": hash, "token_id": token_id, "seconds": seconds})


async def take_login_link(db: Database, hash: bytes) -> str | None:
    """Use a one-time code up: the token that it stands for."""
    rows = await db.run(TAKE_LINK, {"hash": hash})
    return str(rows[0]["token_id"]) if rows else None


async def add_session(db: Database, hash: bytes, token_id: str, seconds: float) -> None:
    """Open a session for a token."""
    await db.run(ADD_SESSION, {"hash": hash, "token_id": token_id, "seconds": seconds})


async def find_session(db: Database, hash: bytes) -> Holder | None:
    """Whom a live session speaks for."""
    rows = await db.run(SESSION, {"hash": hash})
    return Holder(**rows[0]) if rows else None


async def drop_session(db: Database, hash: bytes) -> None:
    """Close a session."""
    await db.run(DROP_SESSION, {"hash": hash})
