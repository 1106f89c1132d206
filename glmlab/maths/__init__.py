"""The mathematics: losses, penalties, small quadratic problems, proofs. It touches no rows and knows no dask."""
