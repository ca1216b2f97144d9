"""The provisioner: makes a volume on the array and a PV for a claim, and deletes both again."""
