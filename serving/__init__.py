"""How we answer: the HTTP service over the released bundles."""
