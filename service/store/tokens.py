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

    @property
    def only_of(self) -> str | None:
        """Whose studies' trials alone may be leased; None: anybody's, as workers do."""
        return None if self.role in ("worker", "admin") else self.owner


COLUMNS = "id, name, role, owner, created_at, expires_at, last_used_at, revoked_at"
VALID = "t.revoked_at is null and (t.expires_at is null or t.expires_at > clock_timestamp())"

INSERT = text(f"""
    insert into tokens (id, hash, name, role, owner, expires_at)
    values (:id, :hash, :name, :role, :owner,
        clock_timestamp() + make_interval(secs => cast(:expires_in as float8)))
    returning {COLUMNS}
""")  # noqa: S608  # column names of our own
USED = text(f"""
    with used as (
        update tokens t set last_used_at = clock_timestamp() where t.id = :id and {VALID} returning t.id
    )
    select t.hash, t.role, t.owner, exists (select from used) as is_valid from tokens t where t.id = :id
""")  # noqa: S608  # a condition of our own
KEEP = text("""
    insert into tokens as t (id, hash, name, role, owner) values (:id, :hash, 'first', 'admin', 'admin')
    on conflict (id) do update set hash = excluded.hash,
        revoked_at = case when t.hash = excluded.hash then t.revoked_at end
    returning revoked_at is null as is_valid
""")
LIST = text(f"select {COLUMNS} from tokens order by created_at, id")  # noqa: S608  # column names of our own
REVOKE = text("update tokens set revoked_at = clock_timestamp() where id = :id and revoked_at is null returning id")
ADD_LINK = text("""
    with gone as (delete from login_links where expires_at < clock_timestamp())
    insert into login_links (hash, token_id, expires_at)
    values (:hash, :token_id, clock_timestamp() + make_interval(secs => :seconds))
""")
TAKE_LINK = text(f"""
    with taken as (
        delete from login_links where hash = :hash and expires_at > clock_timestamp() returning token_id
    )
    select token_id from taken join tokens t on t.id = token_id and {VALID}
""")  # noqa: S608  # a condition of our own
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
    """Store a new token's hash."""
    asked = {"id": id, "hash": hash, "name": name, "role": role, "owner": owner, "expires_in": expires_in}
    return Token(**(await db.run(INSERT, asked))[0])


async def keep_token(db: Database, token_id: str, hash: bytes) -> bool:
    """Store the operator's own token; another one of that id is replaced. False where this very one was revoked."""
    return bool((await db.run(KEEP, {"id": token_id, "hash": hash}))[0]["is_valid"])


@dataclass(frozen=True)
class Known:
    """A token that was made: its hash, whom it speaks for, and whether it still does."""

    hash: bytes
    holder: Holder
    is_valid: bool


async def use_token(db: Database, token_id: str) -> Known | None:
    """A token by its id, noting the use of a valid one; None where there is none."""
    rows = await db.run(USED, {"id": token_id})
    if not rows:
        return None
    return Known(bytes(rows[0]["hash"]), Holder(token_id, rows[0]["role"], rows[0]["owner"]), rows[0]["is_valid"])


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
