"""How a class of handlers is written and read: Base, its decorators, and the plan that the C++ half gets of it."""
