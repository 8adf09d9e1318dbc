"""Control: verified plans become one checked command per control period. Needs numpy and ruckig only."""
