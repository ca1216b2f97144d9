"""Active-active volumes of an AS18000: what the array shows of one, its expansion, what is left of it."""
