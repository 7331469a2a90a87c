"""A ranking: which products of a search come first?"""
