"""The `kewang` command. Each subcommand imports its program only when it is called, so that the edge stays small."""
