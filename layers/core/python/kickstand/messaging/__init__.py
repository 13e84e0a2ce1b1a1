"""What riders are told by mail."""
