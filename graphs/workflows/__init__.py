"""The workflows that ship: a file each, and none knows another."""
