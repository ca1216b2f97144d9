"""The provisioner: makes a volume on the array and a PV for a claim. Comes with its own issue."""
