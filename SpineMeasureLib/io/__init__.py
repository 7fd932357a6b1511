"""Reading and writing: image files, label maps and DICOM studies."""
