"""No bytes that a client can send give a 500, a hang, or a broken answer."""
