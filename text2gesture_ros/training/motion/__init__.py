"""The motion model: its data, training and evaluation."""
