"""The HTTP contract: one router per resource. Each route parses, calls one function, and returns a value."""
