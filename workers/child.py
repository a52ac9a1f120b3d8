"""The training process: takes assignments from the worker, one after another, and trains them. Does no HTTP."""

import ctypes
import faulthandler
import io
import os
import queue
import signal
import socket
import sys
import threading
import time
import traceback
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from trialbook.evaluation import Evaluation
from trialbook.outcomes import TrialFailed, TrialPruned, TrialStopped
from trialbook.values import FORBIDDEN_TEXT
from workers.channel import Channel, Message
from workers.environment import describe_environment
from workers.trainers import TrainFunction, Unusable, call, load_functions
from workers.trial import Assignment, Orders, Trial, TrialLeft, TrialPaused, read_assignment

HERE = Path(__file__).parent
LONGEST_ERROR = 50_000  # characters
Ending = dict[str, Any]  # Any: JSON: how, and for how it ended value, error, retry


def main(descriptor: int) -> None:
    """Train until the worker closes the pipe."""
    os.set_inheritable(descriptor, False)
    for signal_number in (signal.SIGTERM, signal.SIGINT):
        # The worker decides; no-op handlers, unlike ignored signals, are not inherited by programs started here.
        signal.signal(signal_number, lambda *_: None)
    faulthandler.enable()
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(line_buffering=True)  # so that a crash loses no line
    channel = Channel(socket.socket(fileno=descriptor))
    begin = channel.receive()
    if begin is None:
        return
    functions = _prepare(channel, begin)
    savers: set[str] = set()  # own functions that were seen to save checkpoints
    for message, orders in iter(_receive_beside(channel).get, None):
        if message["kind"] == "evaluate":
            channel.send("evaluated", **_evaluate(message))
            continue
        assignment = read_assignment(message)
        trainer = assignment.lease.objective.trainer
        saves = functions is None or trainer in savers
        trial = Trial(assignment, channel, orders, time.monotonic, saves=saves)
        ending = _run(trial, assignment, functions, message["commit"])
        if trial.has_saved:
            savers.add(trainer)
        _flush(message["mark"])
        channel.send("ended", **ending, attributes=trial.attributes)


def _prepare(channel: Channel, begin: Message) -> Mapping[str, TrainFunction] | None:
    """Load the trainers: the operator's functions, or (None) the book's."""
    try:
        if begin["functions"]:
            functions = load_functions(begin["functions"], Path(begin["folder"]))
        else:
            from workers import objective  # only here: an operator's own `models` is then the only one

            functions = None
            objective.use_threads(begin["threads"])
    except Unusable as error:
        channel.send("unusable", error=str(error))
    except BaseException:  # whatever an import does
        channel.send("unusable", error=_clean(traceback.format_exc()))
    else:
        describe_environment(None)  # slow the first time, so before anybody waits for it
        channel.send("ready")
        return functions
    sys.exit(1)


def _receive_beside(channel: Channel) -> queue.Queue[Any]:  # Any: (message, orders), or None at the end
    """A queue of assignments with their orders, filled by a thread that ends the process with the pipe."""
    assignments: queue.Queue[Any] = queue.Queue()

    def receive() -> None:
        orders = Orders()
        while (message := channel.receive()) is not None:
            if message["kind"] in ("run", "evaluate"):
                orders = Orders()
                assignments.put((message, orders))
            else:
                orders.take(message)
        os._exit(0)  # the worker is gone: a trainer in the middle of a step would never look

    threading.Thread(target=receive, name="orders", daemon=True).start()
    return assignments


def _run(
    trial: Trial, assignment: Assignment, functions: Mapping[str, TrainFunction] | None, commit: str | None
) -> Ending:
    began = time.monotonic()
    try:
        return {"how": "complete", "value": _train(trial, assignment, functions)}
    except TrialPruned:
        return {"how": "pruned"}
    except TrialStopped:
        return {"how": "stopped"}
    except TrialLeft:
        return {"how": "left"}
    except TrialPaused:
        return {"how": "paused"}
    except TrialFailed as error:
        return {"how": "failed", "error": _clean(str(error)), "retry": error.retry}
    except BaseException as error:  # whatever training code raises, sys.exit included
        traceback.print_exc()
        return {"how": "failed", "error": _explain(error), "retry": True}
    finally:
        trial.attributes |= {"seconds": time.monotonic() - began, "environment": describe_environment(commit)}


def _train(trial: Trial, assignment: Assignment, functions: Mapping[str, TrainFunction] | None) -> float | None:
    if functions is None:
        from workers import objective

        return objective.train(trial, assignment.lease)
    return call(functions[assignment.lease.objective.trainer], trial)


def _evaluate(message: Message) -> dict[str, Any]:  # Any: JSON
    """What the untouched test part says of a model, or the error that kept it from saying so."""
    from workers import objective

    data = Path(message["data"]) if message["data"] else None
    asked = Evaluation.model_validate(message["evaluation"])
    try:
        metrics, examples = objective.evaluate(asked, data, Path(message["folder"]))
    except Exception as error:
        return {"error": _explain(error)}
    return {"metrics": metrics, "examples": examples}


def _explain(error: BaseException) -> str:
    """The error's type and message, then its traceback without our own frames above the training code."""
    at = error.__traceback__
    while at is not None and at.tb_next is not None and Path(at.tb_frame.f_code.co_filename).parent == HERE:
        at = at.tb_next
    headline = traceback.format_exception_only(error)[-1]
    return _clean(headline + "\n" + "".join(traceback.format_exception(type(error), error, at)))


def _clean(text: str) -> str:
    text = FORBIDDEN_TEXT.sub("�", text)
    if len(text) > LONGEST_ERROR:
        text = f"{text[: LONGEST_ERROR // 2]}\n…\n{text[-LONGEST_ERROR // 2 :]}"
    return text


def _flush(mark: str) -> None:
    """Write out what was printed, by Python and by C, and then the mark that ends this trial's output."""
    sys.stdout.flush()
    sys.stderr.flush()
    ctypes.CDLL(None).fflush(None)
    os.write(1, mark.encode())
