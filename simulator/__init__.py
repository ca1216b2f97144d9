"""An InStorage array as a program: command line over SSH, real LUNs through the LIO target of the kernel."""
