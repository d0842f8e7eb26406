"""Putting right what the networks read: words in fragments, vertical words, and places that are no words at all."""
