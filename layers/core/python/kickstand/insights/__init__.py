"""What riding adds up to: figures that are counted when something happens, not when somebody asks."""
