"""Data sets, synthesis, losses, metrics and training; imported by neither the core nor the nodes."""
