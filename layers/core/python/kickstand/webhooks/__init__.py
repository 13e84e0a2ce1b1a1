"""Webhooks: where clients want to be told what happens, and the telling, which does not give up for three days."""
