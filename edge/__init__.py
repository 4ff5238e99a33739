"""The service: ASGI app, pages, settings, metrics and the `scrutin` command."""
