"""Reading and writing: image files, label maps and DICOM studies. No other package reads image files."""
