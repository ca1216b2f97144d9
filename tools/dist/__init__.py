"""What users get: our own Python for every Linux of the manual, the archive, deb and rpm (`make dist`)."""
