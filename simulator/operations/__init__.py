"""Operations: the commands that change the array, one module a noun. None asks a view."""
