"""What is owed for a rental, and the receipt that proves it."""
