"""The little that every process shares. It knows nothing of organisations."""
