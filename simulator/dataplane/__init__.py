"""What exports volumes to initiators; the array's machine gets this room alone. Standard library only."""
