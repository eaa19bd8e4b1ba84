"""verify --against, kind by kind: what a stream became is compared with what its source holds."""
