"""How one process serves one socket: the address, the listener, the rights, and libmilter's loop."""
