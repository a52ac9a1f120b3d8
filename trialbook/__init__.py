"""Trialbook's contract: the study spec, the search space, the errors, the HTTP client and the command line."""

__version__ = "0.1.0"
