"""The command `pymilter`: one file a subcommand, loaded when that subcommand is asked for."""
