"""What is made of the record: exports, evidence, copies of its checkpoints, and the verifier of them all."""
