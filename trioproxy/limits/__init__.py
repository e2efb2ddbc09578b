"""What is listed, and is this within? One value a variable, and proofs about lists."""
