"""The review in a browser, without Slicer: trame-slicer serves 3D Slicer's scene, views and lines."""
