"""Arguments, files and tensors: helpers that know no sparsity."""
