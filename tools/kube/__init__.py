"""A real Kubernetes 1.20.2 for tests and the demo, built from Debian's source package."""
