"""Where one may ride, park and start: zones with rules, judged positions, cells that index them."""
