"""`config/instorage.yaml`: read, judged key by key, and read again when it changed; its secrets."""
