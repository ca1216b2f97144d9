"""The SELinux module, built and linked into the distribution's policy, on a machine that runs no SELinux."""
