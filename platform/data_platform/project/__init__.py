"""The SQLMesh project: its context, its evaluator, what its models may be."""
