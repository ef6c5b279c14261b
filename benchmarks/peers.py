"""Programs of others that do the same."""
