"""Campaigns: kills, full disks, races and flipped bits, short in the tests, long by make."""
