"""Reading and writing: image files, label maps and DICOM studies. Nothing below this package reads a file of an image."""
