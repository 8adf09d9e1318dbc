"""The verbs of `text2gesture`: a module each, called as the verb, with its options (`add`) and what it does.

What is slow to load is imported where a verb runs, so that help comes at once. `verbs` holds what they share.
"""
