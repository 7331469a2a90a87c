"""Projects that `retrainer init` writes."""

EXAMPLES = {
    "starter": "made-up orders: which come back? (yes or no)",
    "deliveries": "a regression with weights: how many minutes does a parcel take?",
    "tickets": "four classes: which team should answer a message?",
    "payments": "a rare class: which payment is fraud, one in two hundred?",
    "searches": "a ranking: which products of a search come first?",
    "flights": "ten months of flights from New York: which arrive late?",
}
"""The projects that `retrainer init` writes, and what each shows."""
