"""A whole message in one object: envelope, header and body, read and changed, and the edits that make it so."""
