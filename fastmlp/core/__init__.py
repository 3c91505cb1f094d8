"""A network's parameters and state, and the checks of rows that go with it."""
