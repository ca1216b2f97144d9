"""`make demo`: the main job of the product, for real, in machines of the lab."""
