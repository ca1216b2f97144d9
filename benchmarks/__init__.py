"""How fast it is, against what: in one run, as ratios where a machine drifts (docs/performance.md)."""
