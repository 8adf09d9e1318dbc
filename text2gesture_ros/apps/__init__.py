"""What a person starts: the command line and what it draws, prints and measures."""
