"""Generation: a request becomes human motion, frame by frame and in time with speech."""
