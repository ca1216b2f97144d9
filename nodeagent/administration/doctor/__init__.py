"""`instoragectl doctor`: what is not as it should be on this node, and between the node and its arrays."""
