"""The text model: its data, training and evaluation."""
