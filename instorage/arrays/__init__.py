"""Array families, one package each, over one `Array` protocol."""
