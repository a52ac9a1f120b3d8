"""Answers kept by Idempotency-Key, so that a repeated request is told the same."""

from dataclasses import dataclass

from sqlalchemy import text

from service.store.database import Database, Transaction


@dataclass(frozen=True)
class Answered:
    """What was answered, and the digest of the body that it answered."""

    digest: bytes
    body: str


FIND = text("select digest, body from answers where token_id = :token_id and key = :key")
KEEP = text("""
    insert into answers (token_id, key, digest, body) values (:token_id, :key, :digest, :body)
    on conflict do nothing returning key
""")


async def find_answer(db: Database, token_id: str, key: str) -> Answered | None:
    """What was answered under this key."""
    rows = await db.run(FIND, {"token_id": token_id, "key": key})
    return Answered(bytes(rows[0]["digest"]), rows[0]["body"]) if rows else None


async def keep_answer(connection: Transaction, token_id: str, key: str, digest: bytes, body: str) -> bool:
    """Keep an answer; False where another request was quicker."""
    asked = {"token_id": token_id, "key": key, "digest": digest, "body": body}
    return await connection.one(KEEP, asked) is not None
