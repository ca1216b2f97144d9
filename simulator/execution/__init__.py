"""From a command as words to what becomes of it: the table of commands, and the engine that runs them."""
