"""The language of the command line: words in, tables and refusals out, and where firmwares differ in it."""
