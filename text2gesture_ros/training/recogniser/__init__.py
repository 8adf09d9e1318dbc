"""The recogniser of gestures: its data, training and evaluation."""
