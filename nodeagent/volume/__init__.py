"""Steps with a volume that calls and recovery share: may it be used, connect it, take it over or down."""
