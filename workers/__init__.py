"""Workers: they lease trials over HTTP, train them in processes of their own, and report. Know no service code."""
