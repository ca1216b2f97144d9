"""A session with an AS18000: SSH, login, commands and their answers; it knows no volume."""
