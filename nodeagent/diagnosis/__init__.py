"""What is said of a state: findings, why a pod waits, timelines. Reads, and changes nothing."""
