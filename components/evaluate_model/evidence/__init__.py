"""Deciding on evidence: is a challenger's change against the champion more than chance, overall and by slice."""
