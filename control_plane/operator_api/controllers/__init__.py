"""The handlers, by noun. Each translates: body in, room's verb, view out."""
