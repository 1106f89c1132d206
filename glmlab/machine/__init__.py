"""The machine room: clusters, and what a pass costs on them."""
