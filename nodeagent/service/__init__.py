"""A call comes in, one answer goes out: sockets, callers, the dispatcher, equal calls as one."""
