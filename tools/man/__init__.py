"""Man pages in English and Chinese: `make man` makes man/ of `pages/` and the tables of the code."""
