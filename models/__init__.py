"""What we believe: recommenders, forecasters, purchase timing and order proposals."""
