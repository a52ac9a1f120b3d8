"""The HTTP client: one typed method for each operation of the contract. Knows addresses and shapes, not retries."""

import json
import random
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import IO, Any, Self
from uuid import uuid4

import httpx

from trialbook import wire
from trialbook.asking import Asking
from trialbook.connection import DEFAULT_URL, JSON, A, Connection, Request, encode, path_of, read_environment
from trialbook.evaluation import EvaluationResult
from trialbook.events import Event, listen
from trialbook.files import Progress, download_model, media_type_of, sha256_of
from trialbook.plotting import Picture, Theme, picture
from trialbook.spec import StudySpec

YAML = "application/yaml"
DEAR_SECONDS = 90.0  # that a figure may take which is computed anew, and waits for others like it
JSONObject = dict[str, Any]  # Any: JSON


class Client:
    """A client of one server: `Client()` takes the address and the token from TRIALBOOK_URL and TRIALBOOK_TOKEN (or
    TRIALBOOK_TOKEN_FILE). Safe to use from many threads.

    Calls are repeated until answered, for `deadline` seconds; repeating is safe, since each is idempotent. They raise
    the errors of `trialbook.errors`: Unreachable, Invalid with its list of mistakes, NotFound, LeaseLost, …
    """

    def __init__(
        self,
        url: str | None = None,
        token: str | None = None,
        *,
        deadline: float = 30.0,
        transport: httpx.BaseTransport | None = None,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
        random: Callable[[], float] = random.random,
        new_id: Callable[[], str] = lambda: uuid4().hex,
    ) -> None:
        if url is None or token is None:
            known_url, known_token = read_environment()
            url, token = url or known_url or DEFAULT_URL, token or known_token
        self._new_id = new_id
        self._connection = Connection(
            url, token, deadline=deadline, transport=transport, clock=clock, sleep=sleep, random=random
        )
        self.url = self._connection.url

    @property
    def server_version(self) -> str | None:
        """The server's version as its last answer told it, None before the first."""
        return self._connection.server_version

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        """Close the open connections."""
        self._connection.close()

    def study(self, name: str) -> Asking:
        """The study of that name, to ask it for trials and tell it their results."""
        return Asking(self, name, self._new_id)

    # Studies

    def create_study(self, spec: StudySpec | Mapping[str, Any], idempotency_key: str | None = None) -> wire.Study:
        """Submit a study. Raises Invalid with every mistake in the spec, or NameTaken."""
        return self._submit(encode(spec), JSON, idempotency_key)

    def submit_text(self, text: str, idempotency_key: str | None = None, *, kind: str = YAML) -> wire.Study:
        """Submit a study as it is written, so that each mistake is answered with its line; `kind` is YAML's or JSON's
        media type."""
        return self._submit(text.encode(), kind, idempotency_key)

    def validate_study(self, spec: StudySpec | Mapping[str, Any] | str, *, kind: str = YAML) -> JSONObject:
        """Check a spec, or its text, as createStudy does, and store nothing; tells the number of grid cells."""
        kind, body = (kind, spec.encode()) if isinstance(spec, str) else (JSON, encode(spec))
        return self._connection.read(Request("POST", "/studies/validate", body=body, content_type=kind))

    def list_studies(self, *, state: str | None = None, limit: int | None = None) -> Iterator[wire.Study]:
        """All studies, newest first, fetched page by page (`limit` is a page's size)."""
        return self._connection.pages(wire.Study, "/studies", {"state": state, "limit": limit})

    def get_study(self, study: str) -> wire.Study:
        """The study as it is now."""
        return self._connection.ask(wire.Study, Request("GET", path_of("studies", study)))

    def update_study(self, study: str, **changes: Any) -> wire.Study:  # Any: JSON
        """Change `budget`, `notes` or `tags`; a larger budget reopens a completed study."""
        return self._connection.ask(wire.Study, Request("PATCH", path_of("studies", study), body=encode(changes)))

    def delete_study(self, study: str) -> None:
        """Delete a study with its trials and artifacts."""
        self._delete(path_of("studies", study))

    def pause_study(self, study: str) -> wire.Study:
        """Hand out no more trials; those that run are told to stop and go back to the queue."""
        return self._post(wire.Study, path_of("studies", study, "pause"))

    def resume_study(self, study: str) -> wire.Study:
        """Hand out trials again."""
        return self._post(wire.Study, path_of("studies", study, "resume"))

    def cancel_study(self, study: str) -> wire.Study:
        """End the study and stop its running trials."""
        return self._post(wire.Study, path_of("studies", study, "cancel"))

    def list_events(
        self, study: str, *, kind: str | Sequence[str] | None = None, trial: int | None = None, limit: int | None = None
    ) -> Iterator[wire.PastEvent]:
        """What happened in a study, the newest first, in words; of these kinds, or of one trial. Events are kept for
        seven days."""
        params = {"kind": kind, "trial": trial, "limit": limit}
        return self._connection.pages(wire.PastEvent, path_of("studies", study, "log"), params)

    # Trials

    def list_trials(
        self,
        study: str,
        *,
        state: str | Sequence[str] | None = None,
        where: str | Sequence[str] | None = None,
        order: str | None = None,
        limit: int | None = None,
    ) -> Iterator[wire.Trial]:
        """The trials of a study in those states that meet all conditions (`value<=0.1`, `params.activation=relu`), by
        `number`, `value` (the best first), `duration`, `last_step` or `params.NAME` (`-value`: the other way),
        fetched page by page (`limit` is a page's size)."""
        params = {"state": state, "where": where, "order": order, "limit": limit}
        return self._connection.pages(wire.Trial, path_of("studies", study, "trials"), params)

    def get_trial(self, study: str, number: int) -> wire.TrialDetail:
        """One trial with all its reports and attempts."""
        return self._connection.ask(wire.TrialDetail, Request("GET", path_of("studies", study, "trials", number)))

    def add_trials(
        self, study: str, trials: Sequence[wire.NewTrial | Mapping[str, Any]], idempotency_key: str | None = None
    ) -> list[int]:
        """Enqueue points to be tried, or import finished trials; their numbers."""
        listed = [json.loads(encode(trial)) for trial in trials]
        headers = {"idempotency-key": idempotency_key or self._new_id()}
        request = Request("POST", path_of("studies", study, "trials"), body=encode({"trials": listed}), headers=headers)
        return list(self._connection.read(request)["numbers"])

    def cancel_trial(self, study: str, number: int) -> wire.Trial:
        """Stop one trial for good."""
        return self._post(wire.Trial, path_of("studies", study, "trials", number, "cancel"))

    def get_curves(
        self,
        study: str,
        metric: str | Sequence[str] | None = None,
        **options: Any,  # Any: numbers or texts
    ) -> JSONObject:
        """The curves of a metric or of several, thinned on the server; `options` say of which trials, as in the API."""
        return self._connection.read(Request("GET", path_of("studies", study, "curves"), {"metric": metric, **options}))

    def acquire_leases(
        self,
        worker: str,
        trainers: Sequence[str],
        *,
        request_id: str | None = None,
        count: int = 1,
        wait_seconds: float = 0.0,
        study: str | None = None,
        version: str | None = None,
        host: str | None = None,
        evaluations: bool = False,
        can_pause: bool = False,
    ) -> wire.Leases:
        """Ask for trials, waiting up to `wait_seconds` for one; the same request id always brings the same leases."""
        body = wire.LeaseRequest(
            request_id=request_id or self._new_id(),
            worker=worker,
            trainers=tuple(trainers),
            count=count,
            wait_seconds=wait_seconds,
            study=study,
            version=version,
            host=host,
            evaluations=evaluations,
            can_pause=can_pause,
        )
        request = Request("POST", "/leases", body=encode(body), wait=wait_seconds)
        return self._connection.ask(wire.Leases, request)

    def report(self, lease: str, reports: Sequence[wire.Report]) -> wire.Decision:
        """Report one or more steps in order; renews the lease. Raises LeaseLost."""
        body = encode(wire.ReportBatch(reports=tuple(reports)))
        return self._connection.ask(wire.Decision, Request("POST", path_of("leases", lease, "reports"), body=body))

    def renew_lease(self, lease: str) -> wire.Trial:
        """Keep the lease. Raises LeaseLost."""
        return self._post(wire.Trial, path_of("leases", lease, "renew"))

    def release_lease(self, lease: str) -> wire.Trial:
        """Give the trial back unfinished; this is no failure. Raises LeaseLost."""
        return self._post(wire.Trial, path_of("leases", lease, "release"))

    def finish_trial(self, lease: str, finish: wire.Finish) -> wire.Trial:
        """Record the attempt's result. Raises LeaseLost, or AlreadyFinished where it had another one."""
        return self._connection.ask(
            wire.Trial, Request("POST", path_of("leases", lease, "finish"), body=encode(finish))
        )

    def finish_evaluation(self, evaluation: str, result: EvaluationResult) -> wire.Trial:
        """Tell what the test part says of a model, or why it can't be asked; the trial, with the first result."""
        path = path_of("evaluations", evaluation, "finish")
        return self._connection.ask(wire.Trial, Request("POST", path, body=encode(result)))

    def put_artifact(self, lease: str, name: str, content: bytes | Path, *, step: int | None = None) -> wire.Artifact:
        """Store a file with the trial; a `checkpoint` needs its step, at most the last report's."""
        request = Request(
            "PUT",
            path_of("leases", lease, "artifacts", name),
            {"sha256": sha256_of(content), "step": step},
            body=content,
            content_type="application/octet-stream",
        )
        return self._connection.ask(wire.Artifact, request)

    def list_artifacts(self, study: str, number: int) -> list[wire.Artifact]:
        """The files stored with a trial."""
        return list(self._connection.pages(wire.Artifact, path_of("studies", study, "trials", number, "artifacts"), {}))

    def get_artifact(self, study: str, number: int, name: str, to: IO[bytes] | None = None) -> bytes:
        """A trial's file, or nothing when it is written to `to`."""
        path = path_of("studies", study, "trials", number, "artifacts", name)
        return self._connection.call(Request("GET", path), to)

    def download_model(
        self, study: str, number: int, folder: Path | str, progress: Progress = lambda have, total: None
    ) -> None:
        """Bring a trial's trained model into a folder; raises as `trialbook.files.download_model` does."""
        download_model(self, study, number, Path(folder), progress)

    # What a study shows

    def stream_events(self, study: str, last_event_id: str | None = None) -> Iterator[Event]:
        """A study's events as they happen, without end, from after `last_event_id`; survives lost connections."""
        return listen(self._connection, path_of("studies", study, "events"), last_event_id)

    def get_analysis(self, study: str, kind: str, **options: Any) -> JSONObject:  # Any: what each figure takes
        """The plain data behind a figure."""
        wait = DEAR_SECONDS if kind == "importance" else 0.0
        return self._connection.read(Request("GET", path_of("studies", study, "analysis", kind), options, wait=wait))

    def plot(self, study: str, kind: str = "history", *, theme: Theme = "auto", **options: Any) -> Picture:
        """A figure as one page of HTML, which a notebook shows and `save` writes; `kind` and `options` are those of
        `trialbook.plotting.picture`. Raises Invalid, NotFound."""
        return picture(self, study, kind, theme=theme, **options)

    def get_static(self, path: str) -> str:
        """A script or style of the server's dashboard."""
        return self._connection.call(Request("GET", f"{self.url}/static/{path}")).decode()

    def export_study(self, study: str, format: str = "json", to: IO[bytes] | None = None) -> bytes:
        """The whole study as `json`, `csv` or `optuna`, or nothing when it is written to `to`."""
        return self._connection.call(Request("GET", path_of("studies", study, "export"), {"format": format}), to)

    # Trainers, workers, data

    def list_trainers(self) -> list[JSONObject]:
        """The trainers that studies can name, with their parameters, metrics and a spec to start from."""
        return list(self._connection.read(Request("GET", "/trainers"))["items"])

    def list_workers(self) -> list[wire.Worker]:
        """The workers as last heard of."""
        return list(self._connection.pages(wire.Worker, "/workers", {}))

    def list_datasets(self) -> list[wire.Dataset]:
        """The data sets that studies can name."""
        return list(self._connection.pages(wire.Dataset, "/datasets", {}))

    def put_dataset(
        self, name: str, content: bytes | Path, *, target: str | None = None, task: str | None = None, kind: str = ""
    ) -> wire.Dataset:
        """Store a data set; `kind` is its media type, taken from a path's suffix (.csv, .parquet, .npz, .txt)."""
        kind, params = kind or media_type_of(content), {"target": target, "task": task}
        request = Request("PUT", path_of("datasets", name), params, body=content, content_type=kind)
        return self._connection.ask(wire.Dataset, request)

    def get_dataset(self, name: str, to: IO[bytes] | None = None, *, sha256: str | None = None) -> bytes:
        """A data set's file, or nothing when it is written to `to`; by hash, the version that a study pinned."""
        return self._connection.call(Request("GET", path_of("datasets", name), {"sha256": sha256}), to)

    def get_examples(self, name: str, limit: int = 20) -> wire.Examples:
        """A data set's first examples, to look at."""
        return self._connection.ask(wire.Examples, Request("GET", path_of("datasets", name, "rows"), {"limit": limit}))

    def delete_dataset(self, name: str) -> None:
        """Delete a data set."""
        self._delete(path_of("datasets", name))

    def create_token(
        self, role: wire.Role, *, owner: str | None = None, name: str = "", expires_in: float | None = None
    ) -> wire.CreatedToken:
        """Make a token; its secret is in this answer only, so a lost answer is not asked for again."""
        body = wire.NewToken(role=role, owner=owner, name=name, expires_in=expires_in)
        return self._connection.ask(wire.CreatedToken, Request("POST", "/tokens", body=encode(body), repeatable=False))

    def list_tokens(self) -> list[wire.Token]:
        """All tokens, without their secrets."""
        return list(self._connection.pages(wire.Token, "/tokens", {}))

    def revoke_token(self, token_id: str) -> None:
        """Let a token open nothing any more."""
        self._delete(path_of("tokens", token_id))

    def _submit(self, text: bytes, content_type: str, key: str | None) -> wire.Study:
        headers = {"idempotency-key": key or self._new_id()}
        request = Request("POST", "/studies", body=text, content_type=content_type, headers=headers)
        return self._connection.ask(wire.Study, request)

    def _post(self, shape: type[A], path: str) -> A:
        return self._connection.ask(shape, Request("POST", path, body=b"{}"))

    def _delete(self, path: str) -> None:
        self._connection.call(Request("DELETE", path, removes=True))
