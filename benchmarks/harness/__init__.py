"""The benchmark harness: builds the sides, runs them in turns, and writes what was measured."""
