"""How work crosses between threads and the event loop."""
