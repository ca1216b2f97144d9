"""Who may use a volume: what is granted, how it is signed, where grants without options are kept."""
