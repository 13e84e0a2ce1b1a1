"""The platform on one machine: the deployed templates, served without AWS and without containers."""
