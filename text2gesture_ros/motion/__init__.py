"""Human motion as data: clips, frame blocks, gesture phases, and the file formats of recordings."""
