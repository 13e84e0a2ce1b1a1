"""Consumers of streams and queues: what follows from what has been committed."""
