"""The platform on one machine: the deployed templates, served without AWS and without containers."""

from local import light_moto

light_moto.install()
