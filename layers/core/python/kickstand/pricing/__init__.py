"""What a ride costs: tariffs, and fares made of lines."""
