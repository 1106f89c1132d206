"""What keeps the house: set-up, the lock, the notebooks' form. Not part of the package."""
