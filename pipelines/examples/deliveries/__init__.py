"""A regression with weights: how many minutes do deliveries take?"""
