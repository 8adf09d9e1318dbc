"""Whether a gesture can be read: the laws of each, measured on the body of a human or a robot."""
