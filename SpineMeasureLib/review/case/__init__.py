"""A case under review as plain data: its state, the steps that change it, undo, and values that follow. No MRML."""
