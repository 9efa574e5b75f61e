"""How a venue forms its prices and funding; knows the terms and no account."""
