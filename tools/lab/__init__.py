"""Virtual machines with a real SAN: an array and its nodes."""
