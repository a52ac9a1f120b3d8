"""The process that drives a fleet: it joins the Ray cluster, and Ray ends it when the head stays away."""

import os
import signal
import sys
import threading
from multiprocessing import parent_process
from multiprocessing.synchronize import Event
from types import FrameType

from workers.fleet.cluster import RayCluster
from workers.fleet.fleet import Fleet
from workers.fleet.member import Access
from workers.fleet.supervision import AWAY, DONE, IMPOSSIBLE
from workers.journal import Journal
from workers.settings import FleetSettings, Settings

PULSE_SECONDS = 10.0  # between two looks at the cluster


def drive(access: Access, settings: Settings, fleet: FleetSettings, hears: Event) -> None:
    """Run the fleet, and exit with a code that says how it ended. `hears` is set once signals are taken."""
    os.setsid()  # signals are passed on by the process that watches this one, and not heard twice
    threading.Thread(target=_end_with_parent, name="parent", daemon=True).start()
    journal = Journal()
    try:
        cluster = RayCluster(access, settings, fleet)
    except ConnectionError as error:
        journal.write("cluster-away", address=fleet.address, error=str(error).splitlines()[0])
        sys.exit(AWAY)
    except (RuntimeError, ValueError) as error:
        print(f"trialbook-worker: {error}", file=sys.stderr, flush=True)
        sys.exit(IMPOSSIBLE)
    crew = Fleet(cluster, [f"{settings.name}-{i + 1}" for i in range(fleet.workers)], journal)

    def take_signal(number: int, frame: FrameType | None) -> None:
        journal.write("leaving", worker=settings.name, signal=signal.Signals(number).name)
        crew.leave()

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, take_signal)
    hears.set()
    journal.write("start", worker=settings.name, workers=fleet.workers, trainers=",".join(settings.trainers))
    over = threading.Event()
    threading.Thread(target=_end_with_cluster, args=(cluster, over), name="cluster", daemon=True).start()
    errors = crew.work()
    over.set()
    cluster.close()
    journal.write("end", worker=settings.name)
    for text in errors:
        print(f"trialbook-worker: {text}", file=sys.stderr, flush=True)
    sys.exit(IMPOSSIBLE if errors else DONE)


def _end_with_cluster(cluster: RayCluster, over: threading.Event) -> None:
    """Nothing comes any more from a cluster that is gone, not even an error: the fleet begins anew in the next one."""
    while not over.wait(PULSE_SECONDS):
        if not cluster.is_there() and not over.is_set():
            os._exit(AWAY)


def _end_with_parent() -> None:
    """Whoever ends the fleet's command, by whatever force, ends the fleet."""
    parent = parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)
