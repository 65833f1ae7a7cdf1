"""A retailer that never was, with six systems that export what it sold, and the truth beside them."""
