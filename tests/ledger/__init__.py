"""An outside system of the tests' own, with one operation of each kind, and a workflow over it."""

REFUSED = "refused"  # an entry that is called so is never made
