"""The studio: human gesture clips synthesised from a kinematic skeleton."""
