"""The audit of the locked packages: what it finds is told, and what could not be asked is never called clean."""

import pytest

from tools.audit import UNKNOWN, VULNERABLE, verdict

CLEAN = {"name": "a", "version": "1.0", "vulns": []}
FLAWED = {"name": "b", "version": "2.0", "vulns": [{"id": "PYSEC-1", "fix_versions": ["2.1"]}]}
UNASKED = {"name": "c", "skip_reason": "not found"}


@pytest.mark.parametrize(
    ("packages", "code"),
    [
        ([CLEAN], 0),
        ([CLEAN, FLAWED], VULNERABLE),
        ([CLEAN, UNASKED], UNKNOWN),
        ([FLAWED, UNASKED], VULNERABLE),
        ([], UNKNOWN),
    ],
)
def test_an_audit_is_clean_only_where_each_package_was_asked_about(packages, code):
    said, found = verdict(packages)
    assert found == code
    assert ("b 2.0: PYSEC-1, fixed in 2.1" in said) == (FLAWED in packages)
