"""Several classes: which team should answer a message?"""
