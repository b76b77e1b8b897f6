"""Money: a library beside the control plane. It alone will talk to the payment provider; nothing is billed yet."""
