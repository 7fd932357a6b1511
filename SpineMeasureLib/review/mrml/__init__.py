"""A case as MRML nodes: the only package that imports `slicer` and `vtk`. The scene is passed in."""
