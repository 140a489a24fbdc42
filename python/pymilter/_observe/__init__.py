"""What can be seen of a running filter: its log, its counters, and the server that shows them to Prometheus."""
