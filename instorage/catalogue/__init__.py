"""Every code of a fault, explained."""
