"""WebSockets and server-sent events, in process and over real servers."""
