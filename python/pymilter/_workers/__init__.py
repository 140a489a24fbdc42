"""How many processes serve one socket: the supervisor, its workers, and the line between them."""
