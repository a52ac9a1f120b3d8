"""The service: studies, leases, suggestions and the dashboard over HTTP."""
