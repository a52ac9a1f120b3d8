"""How much is kept: of a trial's files, of all files of an owner's studies, of an owner's data sets."""

from dataclasses import dataclass

from sqlalchemy import text

from service.store.database import Database, Transaction

# What a new file takes the place of does not count; a checkpoint stays, as the last but one.
OTHERS = """
    select count(*) filter (where not is_this)::int as files,
        (coalesce(sum(size) filter (where not is_this or name = 'checkpoint'), 0)
            + coalesce(sum((previous ->> 'size')::bigint) filter (where not is_this), 0))::bigint as size
"""
OF_TRIAL = text(f"""
    {OTHERS} from (
        select name, size, previous, name = :name as is_this from artifacts
        where trial_id = :trial and removed_at is null
    ) files
""")  # noqa: S608  # columns of our own
OF_OWNER = text(f"""
    {OTHERS} from (
        select a.name, a.size, a.previous, a.trial_id = :trial and a.name = :name as is_this
        from studies s join trials t on t.study_id = s.id join artifacts a on a.trial_id = t.id
        where a.removed_at is null
            and s.owner = (select s.owner from trials t join studies s on s.id = t.study_id where t.id = :trial)
    ) files
""")  # noqa: S608  # columns of our own
OF_DATASETS = text("""
    select count(*)::int as files, coalesce(sum(size), 0)::bigint as size from datasets
    where owner = :owner and name <> :name
""")
ALONE = text("select pg_advisory_xact_lock(hashtextextended(:kind || coalesce(:whose, ''), 0))")
STUDY_OWNER = text("select s.owner from trials t join studies s on s.id = t.study_id where t.id = :trial")


@dataclass(frozen=True)
class Usage:
    """How many files there are, and their bytes in all."""

    files: int
    size: int


async def of_trial(db: Database | Transaction, trial: int, name: str) -> Usage:
    """What a trial keeps besides the file of that name."""
    return Usage(**(await db.run(OF_TRIAL, {"trial": trial, "name": name}))[0])


async def of_owner(db: Database | Transaction, trial: int, name: str) -> Usage:
    """What all studies of a trial's owner keep besides that file. Reads a row for each of their files."""
    return Usage(**(await db.run(OF_OWNER, {"trial": trial, "name": name}))[0])


async def of_datasets(db: Database | Transaction, owner: str, name: str) -> Usage:
    """What an owner's data sets keep besides the one of that name."""
    return Usage(**(await db.run(OF_DATASETS, {"owner": owner, "name": name}))[0])


async def alone_with_trial(transaction: Transaction, trial: int) -> None:
    """Until the transaction's end nobody else counts or adds files of this trial."""
    await transaction.run(ALONE, {"kind": "files of trial ", "whose": str(trial)})


async def alone_with_owner(transaction: Transaction, trial: int) -> None:
    """Until the transaction's end nobody else counts or adds files of this trial's owner."""
    owner = (await transaction.run(STUDY_OWNER, {"trial": trial}) or [{"owner": None}])[0]["owner"]
    await transaction.run(ALONE, {"kind": "files of owner ", "whose": owner})


async def alone_with_datasets(transaction: Transaction, owner: str) -> None:
    """Until the transaction's end nobody else counts or adds data sets of this owner."""
    await transaction.run(ALONE, {"kind": "data sets of owner ", "whose": owner})
