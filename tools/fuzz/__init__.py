"""Random and mutated input for every parser that meets a stranger: `make fuzz N=1000000 SEED=1`."""
