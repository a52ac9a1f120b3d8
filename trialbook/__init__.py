"""Trialbook's contract: the study spec, the search space, the errors, the HTTP client and the command line."""

from trialbook.client import Client
from trialbook.outcomes import TrialFailed, TrialPruned, TrialStopped
from trialbook.spec import StudySpec

__version__ = "0.1.0"
__all__ = ["Client", "StudySpec", "TrialFailed", "TrialPruned", "TrialStopped"]
