"""The rows and their passes: from what a user holds to chunks, and what a pass over them computes."""
