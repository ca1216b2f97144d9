"""What was begun and not finished: settled, compared with the arrays, forgotten."""
