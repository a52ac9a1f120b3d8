"""Races are run on the real application, as the service's tests start it."""

from tests.service.conftest import serve as serve
