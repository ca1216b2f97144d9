"""What the array is and remembers, in states that are never changed in place; what a command sees of it."""
