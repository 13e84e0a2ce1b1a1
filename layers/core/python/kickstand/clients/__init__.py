"""Calling partners: who they are, their tokens, their products, the networks they may see."""
