"""Messages between the processes: value types, error codes, framing. Standard library only."""
