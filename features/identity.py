"""Who bought: one customer_id across channel accounts."""
