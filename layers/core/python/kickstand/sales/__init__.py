"""What is sold beside rides: products, discount codes, orders, gift codes and subscriptions."""
