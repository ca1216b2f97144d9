"""What every operation of the agent carries: request and answer, records, settings, steps, the journal."""
