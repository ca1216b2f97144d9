"""The unprivileged node agent: owns array credentials and the plan of each operation."""
