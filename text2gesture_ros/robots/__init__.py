"""Robots as data: robot file, URDF, forward kinematics, clearance between links."""
