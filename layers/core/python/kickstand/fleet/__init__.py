"""Networks, vehicle models, vehicles and the commands that reach them."""
