"""What we know: one purchase history, its demand, calendar and plans, each readable as of any day."""
