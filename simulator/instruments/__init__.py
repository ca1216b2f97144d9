"""What a test sets and reads while the array runs: faults, counters. Plain objects that know nobody."""
