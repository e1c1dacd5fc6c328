"""Serve the application with the server of the standard library, on a free port."""

from __future__ import annotations

from wsgiref.simple_server import make_server

from application import app  # type: ignore[import-not-found]

if __name__ == "__main__":
    with make_server("127.0.0.1", 0, app) as server:
        print(f"http://127.0.0.1:{server.server_port}", flush=True)
        server.serve_forever()
