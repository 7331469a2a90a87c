"""Flights that left New York in 2013: will they arrive late?"""
