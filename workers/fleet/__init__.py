"""A fleet: workers as actors of a Ray cluster, placed by what they need. Only this package knows Ray."""
