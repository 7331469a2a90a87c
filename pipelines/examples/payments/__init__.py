"""A rare class: which payments are fraud, about one in two hundred?"""
