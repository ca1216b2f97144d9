"""What a client meets: listening sockets, SSH, limits, the restricted shell, an answer for each line."""
