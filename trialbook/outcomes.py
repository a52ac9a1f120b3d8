"""How a trial may end before its training code does: raised into that code by `report`, or by the code itself."""


class TrialPruned(Exception):
    """The service stops this trial early: others did better."""


class TrialStopped(Exception):
    """The trial was cancelled, or its lease was lost to another worker: nothing more of it is wanted."""


class TrialFailed(Exception):
    """The trial cannot succeed. `retry=False` says that another attempt would fail alike."""

    def __init__(self, message: str, *, retry: bool = True) -> None:
        self.retry = retry
        super().__init__(message)
