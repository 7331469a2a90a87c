"""Several classes: which team shall answer a message?"""
