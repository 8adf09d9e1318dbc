"""What a text or a motion means: intent of a sentence, its clauses, the gesture that a motion shows."""
