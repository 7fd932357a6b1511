"""The review in a browser: 3D Slicer's scene, views and lines served by trame-slicer, for people without Slicer."""
