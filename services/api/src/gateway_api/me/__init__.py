"""The caller: who they are, what they may do, what they use, and how they sign out."""
